import pytest


def test_the_same_user_comes_back(app, pinterest):
    ann = app.get("/v5/user_account")
    app.log_in(pinterest.tell("code", user="ann", redirect_url="http://localhost/callback")["code"])
    assert app.get("/v5/user_account") == ann


def test_an_expired_token_is_renewed(app, pinterest):
    pinterest.tell("expire-access")
    assert app.get("/v5/user_account")["username"] == "ann"
    assert pinterest.ask("counts")["refresh"] == 1


def test_a_server_fault_is_passed_over(app, pinterest):
    pinterest.tell("faults", path="/v5/oauth/token", times=2, fault={"status": 503})
    app.refresh()
    assert [r["status"] for r in pinterest.ask("requests") if r["params"].get("grant_type") == "refresh_token"] == [503, 503, 200]


def test_a_user_who_disconnects_has_to_log_in_again(app, pinterest):
    pinterest.tell("revoke", user="ann")
    with pytest.raises(PermissionError):
        app.get("/v5/boards")

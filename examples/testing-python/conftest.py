"""Starts the emulator once, and brings it back to its beginning before each test."""

import base64
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest


def request(method, url, headers=None, data=None):
    """Returns the status and the JSON of the answer."""
    r = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(r) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


class Pinterest:
    """Where the emulator is, and its remote control."""

    def __init__(self, at):
        self.url = at["PINTEREST_API_URI"]
        self.app_id = at["PINTEREST_APP_ID"]
        self.app_secret = at["PINTEREST_APP_SECRET"]

    def tell(self, call, **body):
        status, answer = request(
            "POST", f"{self.url}/_emulator/{call}", {"Content-Type": "application/json"}, json.dumps(body).encode()
        )
        assert status == 200, answer
        return answer

    def ask(self, call):
        return request("GET", f"{self.url}/_emulator/{call}")[1]


@pytest.fixture(scope="session")
def emulator():
    # --addr :0 takes a free port; the one line of JSON comes once it is there.
    with subprocess.Popen(["pinterest", "emulator", "--addr", ":0", "--json", "--strict-rotation"], stdout=subprocess.PIPE) as process:
        yield Pinterest(json.loads(process.stdout.readline()))
        process.terminate()


@pytest.fixture
def pinterest(emulator):
    emulator.tell("reset")
    return emulator


class App:
    """The app under test. Yours is elsewhere, and takes the URL, the id and the secret from outside."""

    def __init__(self, pinterest):
        self.pinterest = pinterest

    def log_in(self, code):
        self.token = self.ask_for_token(grant_type="authorization_code", code=code, redirect_uri="http://localhost/callback")

    def refresh(self):
        self.token |= self.ask_for_token(grant_type="refresh_token", refresh_token=self.token["refresh_token"])

    def ask_for_token(self, **form):
        basic = base64.b64encode(f"{self.pinterest.app_id}:{self.pinterest.app_secret}".encode()).decode()
        for attempt in range(3):
            status, answer = request(
                "POST", self.pinterest.url + "/v5/oauth/token", {"Authorization": "Basic " + basic}, urllib.parse.urlencode(form).encode()
            )
            if status < 500:
                break
        if status == 401 and answer["code"] == 283:
            raise PermissionError("log in again")
        assert status == 200, answer
        return answer

    def get(self, path):
        for attempt in range(2):
            status, answer = request("GET", self.pinterest.url + path, {"Authorization": "Bearer " + self.token["access_token"]})
            if status != 401:
                break
            self.refresh()
        assert status == 200, answer
        return answer


@pytest.fixture
def app(pinterest):
    app = App(pinterest)
    app.log_in(pinterest.tell("code", user="ann", redirect_url="http://localhost/callback")["code"])
    return app

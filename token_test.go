package pinterest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMarshalTokenKeepsWhatJSONLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answering(http.StatusOK, goodAnswer)
		tok, err := testConfig().Exchange(w.context(t.Context()), "code")
		require.NoError(t, err)
		data, err := pinterest.MarshalToken(tok)
		require.NoError(t, err)
		assert.Equal(t, `{"version":1,"access_token":"pina_new","token_type":"bearer","refresh_token":"pinr.new",`+
			`"expiry":"2000-01-31T00:00:00Z","expires_in":2592000,"refresh_token_expires_at":951868800,`+
			`"scope":"boards:read pins:read","issuer":"api.pinterest.com"}`, string(data))

		back, err := pinterest.UnmarshalToken(data)
		require.NoError(t, err)
		assert.Equal(t, "pina_new", back.AccessToken)
		assert.Equal(t, "pinr.new", back.RefreshToken)
		assert.Equal(t, "Bearer", back.Type())
		assert.True(t, tok.Expiry.Equal(back.Expiry))
		assert.Equal(t, tok.ExpiresIn, back.ExpiresIn)
		until, ok := pinterest.RefreshExpiry(back)
		require.True(t, ok)
		assert.True(t, until.Equal(time.Now().Add(60*day)))
		assert.Equal(t, []string{"boards:read", "pins:read"}, pinterest.GrantedScopes(back))
		again, err := pinterest.MarshalToken(back)
		require.NoError(t, err)
		assert.Equal(t, string(data), string(again))

		// x/oauth2 reads it, too.
		var std oauth2.Token
		require.NoError(t, json.Unmarshal(data, &std))
		assert.Equal(t, "pinr.new", std.RefreshToken)
		assert.True(t, tok.Expiry.Equal(std.Expiry))
	})
}

func TestUnmarshalTokenReadsTheJSONOfOAuth2(t *testing.T) {
	for _, std := range []*oauth2.Token{
		{AccessToken: "pina_x"},
		{RefreshToken: "pinr.x"},
		{AccessToken: "pina_x", RefreshToken: "pinr.x", TokenType: "bearer", Expiry: time.Now().Add(time.Hour).Round(0), ExpiresIn: 3600},
	} {
		tok, err := pinterest.UnmarshalToken([]byte(jsonOf(t, std)))
		require.NoError(t, err)
		assert.JSONEq(t, jsonOf(t, std), jsonOf(t, tok))
		_, ok := pinterest.RefreshExpiry(tok)
		assert.False(t, ok, "not known, and never guessed")
		assert.Nil(t, pinterest.GrantedScopes(tok))
	}
}

func TestADamagedRecordIsAnErrorThatHoldsNothingOfIt(t *testing.T) {
	whole, err := pinterest.MarshalToken(&oauth2.Token{AccessToken: "pina_s3cret", RefreshToken: "pinr.s3cret", Expiry: time.Now()})
	require.NoError(t, err)
	damaged := []string{
		"", " ", "null", "[]", "{}", `"pina_s3cret"`, "pina_s3cret", `{"version":1}`, string(whole) + "s3cret",
		`{"access_token":["s3cret"]}`, `{"access_token":"x","refresh_token":["s3cret"]}`, `{"access_token":"x","expiry":["s3cret"]}`, `{"access_token":"x","expiry":"s3cret"}`,
		`{"access_token":"","refresh_token":"","expiry":"0001-01-01T00:00:00Z"}`,
	}
	for i := range len(whole) - 1 {
		damaged = append(damaged, string(whole[:i+1]))
	}
	for _, data := range damaged {
		_, err := pinterest.UnmarshalToken([]byte(data))
		require.ErrorContains(t, err, "it is damaged", data)
		assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "s3cret")
	}
}

func TestARecordOfANewerVersionIsNotRead(t *testing.T) {
	_, err := pinterest.UnmarshalToken([]byte(`{"version":2,"sealed":"x","access_token":["of another shape"]}`))
	require.EqualError(t, err, "pinterest: the token record: it has version 2 and this program reads up to 1: update the program")
}

func TestAnEmptyTokenIsNotMarshalled(t *testing.T) {
	for _, tok := range []*oauth2.Token{nil, {}, {TokenType: "bearer", Expiry: time.Now()}} {
		_, err := pinterest.MarshalToken(tok)
		require.EqualError(t, err, "pinterest: nothing to marshal: the token holds neither an access token nor a refresh token")
	}
}

// A token that x/oauth2 retrieved by itself has Pinterest's fields in its Extra.
func TestTheRefreshExpiryOfATokenThatOAuth2Retrieved(t *testing.T) {
	expiry := time.Now().Add(20 * day) // it is ten days old
	tok := (&oauth2.Token{AccessToken: "a", RefreshToken: "r", Expiry: expiry, ExpiresIn: 30 * 24 * 3600}).
		WithExtra(map[string]any{"refresh_token_expires_in": float64(60 * 24 * 3600), "scope": "pins:read,boards:read"})
	until, ok := pinterest.RefreshExpiry(tok)
	require.True(t, ok)
	assert.Equal(t, expiry.Add(30*day).Unix(), until.Unix())
	assert.Equal(t, []string{"pins:read", "boards:read"}, pinterest.GrantedScopes(tok))

	for _, fields := range []map[string]any{nil, {"refresh_token_expires_in": 0}, {"refresh_token_expires_in": -1}, {"refresh_token_expires_in": "soon"}} {
		_, ok = pinterest.RefreshExpiry(tok.WithExtra(fields))
		assert.False(t, ok, fields)
	}
	for _, odd := range []*oauth2.Token{
		nil,
		{AccessToken: "a", Expiry: expiry, ExpiresIn: 1}, // no refresh token
		{RefreshToken: "r", ExpiresIn: 1},
		{RefreshToken: "r", Expiry: expiry},
		{RefreshToken: "r", Expiry: expiry, ExpiresIn: -1},
	} {
		if odd != nil {
			odd = odd.WithExtra(map[string]any{"refresh_token_expires_in": 60})
		}
		_, ok = pinterest.RefreshExpiry(odd)
		assert.False(t, ok, odd)
	}
	assert.Nil(t, pinterest.GrantedScopes(nil))
}

// A laptop that slept must not take an expired token for a good one.
func TestExpiriesAreOfTheWallClock(t *testing.T) {
	exchanged, err := testConfig().Exchange(answering(http.StatusOK, goodAnswer).context(t.Context()), "code")
	require.NoError(t, err)
	begun, err := testConfig().TokenSource(t.Context(), &oauth2.Token{AccessToken: "pina_x", Expiry: time.Now().Add(day)}).TokenContext(t.Context())
	require.NoError(t, err)
	until, ok := pinterest.RefreshExpiry((&oauth2.Token{RefreshToken: "pinr.x", Expiry: time.Now().Add(day), ExpiresIn: 1}).
		WithExtra(map[string]any{"refresh_token_expires_in": 60}))
	require.True(t, ok)
	for _, at := range []time.Time{exchanged.Expiry, begun.Expiry, until} {
		assert.NotContains(t, at.String(), " m=", "no reading of the clock that stands still")
	}
}

// Whatever is odd about an answer with an access token, the token is not lost.
func TestOddAnswersGetTheirSaneReading(t *testing.T) {
	const unknown = time.Duration(-1)
	cases := []struct {
		fields  string
		expiry  time.Duration // from now; unknown: none
		refresh time.Duration
		token   string
	}{
		{`"refresh_token":"pinr.new","expires_in":2592000,"refresh_token_expires_in":5184000`, 30 * day, 60 * day, "pinr.new"},
		{`"refresh_token":"pinr.new"`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":0,"refresh_token_expires_in":0,"refresh_token_expires_at":0`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":-5,"refresh_token_expires_in":-5,"refresh_token_expires_at":-5`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":1e300,"refresh_token_expires_in":1e300,"refresh_token_expires_at":1e300`, math.MaxInt32 * time.Second, math.MaxInt32 * time.Second, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":1e999,"refresh_token_expires_in":1e999,"refresh_token_expires_at":1e999`, math.MaxInt32 * time.Second, math.MaxInt32 * time.Second, "pinr.new"},
		{`"refresh_token":"pinr.new","token_type":"bearer\r\nX: 1","expires_in":3600`, time.Hour, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":"3600","refresh_token_expires_in":"7200"`, time.Hour, 2 * time.Hour, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":3600.9,"refresh_token_expires_in":7200.0`, time.Hour + 900*time.Millisecond, 2 * time.Hour, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":"soon","refresh_token_expires_in":{},"refresh_token_expires_at":[]`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":"NaN","refresh_token_expires_at":"NaN"`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":null,"refresh_token_expires_in":null,"scope":null,"token_type":null`, unknown, unknown, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":3600,"refresh_token_expires_in":1,"refresh_token_expires_at":946857600`, time.Hour, 2 * day, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":3600,"refresh_token_expires_in":7200,"refresh_token_expires_at":0`, time.Hour, 2 * time.Hour, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":3600,"refresh_token_expires_in":7200,"refresh_token_expires_at":253402300800`, time.Hour, 2 * time.Hour, "pinr.new"},
		{`"refresh_token":"pinr.new","expires_in":0.5,"refresh_token_expires_at":1`, 500 * time.Millisecond, time.Unix(1, 0).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), "pinr.new"},
		{`"refresh_token":"pinr.new","response_type":"of_the_future","expires_in":3600`, time.Hour, unknown, "pinr.new"},
		{`"refresh_token":"","expires_in":3600`, time.Hour, 50 * day, "pinr.old"},
		{`"refresh_token":null,"expires_in":3600`, time.Hour, 50 * day, "pinr.old"},
		{`"refresh_token":17,"expires_in":3600`, time.Hour, 50 * day, "pinr.old"},
		{`"refresh_token":"with space\n","expires_in":3600`, time.Hour, 50 * day, "pinr.old"},
		{`"expires_in":3600`, time.Hour, 50 * day, "pinr.old"},
		{`"expires_in":3600,"refresh_token_expires_in":86400`, time.Hour, day, "pinr.old"},
	}
	for _, c := range cases {
		t.Run(c.fields, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := (&oauth2.Token{RefreshToken: "pinr.old"}).WithExtra(map[string]any{
					"refresh_token_expires_at": float64(time.Now().Add(50 * day).Unix()), "scope": "ads:read"})
				w := answering(http.StatusOK, "\ufeff"+`{"access_token":"pina_new",`+c.fields+`}`)
				tok, err := testConfig().TokenSource(w.context(t.Context()), old).TokenContext(t.Context())
				require.NoError(t, err)
				assert.Equal(t, "pina_new", tok.AccessToken)
				assert.Equal(t, "Bearer", tok.Type())
				assert.Equal(t, c.token, tok.RefreshToken)
				assert.Equal(t, []string{"ads:read"}, pinterest.GrantedScopes(tok), "kept where the answer does not say")
				if c.expiry == unknown {
					assert.True(t, tok.Expiry.IsZero())
					assert.Zero(t, tok.ExpiresIn)
				} else {
					assert.Equal(t, time.Now().Add(c.expiry), tok.Expiry)
					assert.Equal(t, max(1, int64(c.expiry.Seconds())), tok.ExpiresIn)
				}
				until, ok := pinterest.RefreshExpiry(tok)
				assert.Equal(t, c.refresh != unknown, ok)
				if ok {
					assert.Equal(t, time.Now().Add(c.refresh).Unix(), until.Unix())
				}
				data, err := pinterest.MarshalToken(tok)
				require.NoError(t, err)
				back, err := pinterest.UnmarshalToken(data)
				require.NoError(t, err)
				assert.True(t, tok.Expiry.Equal(back.Expiry))
			})
		})
	}
}

func TestTheScopesOfAnAnswerReplaceTheFormerOnes(t *testing.T) {
	old := (&oauth2.Token{RefreshToken: "pinr.old"}).WithExtra(map[string]any{"scope": "ads:read"})
	tok, err := testConfig().TokenSource(answering(http.StatusOK, goodAnswer).context(t.Context()), old).Token()
	require.NoError(t, err)
	assert.Equal(t, []string{"boards:read", "pins:read"}, pinterest.GrantedScopes(tok))
}

func TestTheExpiryOfARefreshTokenFollowsPinterestsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Skew: time.Hour})
		tok, err := l.conf.TokenSource(l.ctx, l.tok).Refresh(t.Context())
		require.NoError(t, err)
		until, ok := pinterest.RefreshExpiry(tok)
		require.True(t, ok)
		assert.Equal(t, time.Now().Add(60*day+time.Hour).Unix(), until.Unix(), "what Pinterest says goes before what can be computed")
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, goodAnswer)
	f.Add(200, `{"access_token":"x","expires_in":1e999,"refresh_token":"\u0000"}`)
	f.Add(401, `{"code":283}`)
	f.Add(200, "")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		w := answering(status, body)
		conf := testConfig()
		tok, err := conf.Exchange(w.context(t.Context()), "code")
		if err != nil {
			var e *pinterest.Error
			require.ErrorAs(t, err, &e)
			_ = e.Error()
			return
		}
		require.NotEmpty(t, tok.AccessToken)
		data, err := pinterest.MarshalToken(tok)
		require.NoError(t, err)
		_, err = pinterest.UnmarshalToken(data)
		require.NoError(t, err)
		_, err = conf.TokenSource(w.context(t.Context()), tok).Token()
		if tok.Expiry.IsZero() || time.Until(tok.Expiry) > time.Minute {
			require.NoError(t, err)
		}
	})
}

func TestARecordIsReadWithTheSameGoodWillAsAnAnswer(t *testing.T) {
	for name, record := range map[string]string{
		"text":      `{"version":"1","access_token":"pina_x","refresh_token":"pinr.x","expires_in":"3600","refresh_token_expires_at":"1800000000"}`,
		"fractions": `{"version":1.0,"access_token":"pina_x","refresh_token":"pinr.x","expires_in":3600.9,"refresh_token_expires_at":1.8e9}`,
		"nulls":     `{"version":null,"access_token":"pina_x","refresh_token":"pinr.x","expires_in":3600,"refresh_token_expires_at":1800000000,"scope":null,"expiry":null,"token_type":null}`,
		"more":      `{"access_token":"pina_x","refresh_token":"pinr.x","expires_in":3600,"refresh_token_expires_at":1800000000,"something":{"new":[1]}}`,
	} {
		tok, err := pinterest.UnmarshalToken([]byte(record))
		require.NoError(t, err, name)
		assert.Equal(t, "pina_x", tok.AccessToken, name)
		assert.Equal(t, int64(3600), tok.ExpiresIn, name)
		until, ok := pinterest.RefreshExpiry(tok)
		require.True(t, ok, name)
		assert.Equal(t, int64(1800000000), until.Unix(), name)
	}
	for in, want := range map[string]int64{"1": 1, "1e300": math.MaxInt32, "0": 0, "-1": 0, `"soon"`: 0} {
		tok, err := pinterest.UnmarshalToken([]byte(`{"access_token":"pina_x","expires_in":` + in + `}`))
		require.NoError(t, err)
		assert.Equal(t, want, tok.ExpiresIn, in)
	}
	for at, known := range map[string]bool{"1": true, "253402300799": true, "253402300800": false, "0.9": false} {
		tok, err := pinterest.UnmarshalToken([]byte(`{"refresh_token":"pinr.x","refresh_token_expires_at":` + at + `}`))
		require.NoError(t, err)
		_, ok := pinterest.RefreshExpiry(tok)
		assert.Equal(t, known, ok, at)
	}
	_, err := pinterest.UnmarshalToken([]byte(`{"version":"2","access_token":"pina_x"}`))
	require.EqualError(t, err, "pinterest: the token record: it has version 2 and this program reads up to 1: update the program")
}

func TestTheRefreshExpiryIsReadWhateverKindOfNumberItIs(t *testing.T) {
	const at = 1800000000
	for _, v := range []any{at, int32(at), int64(at), uint32(at), uint64(at), float64(at), json.Number("1800000000"), "1800000000"} {
		tok := (&oauth2.Token{RefreshToken: "pinr.x"}).WithExtra(map[string]any{"refresh_token_expires_at": v})
		until, ok := pinterest.RefreshExpiry(tok)
		require.True(t, ok, "%T", v)
		assert.Equal(t, int64(at), until.Unix(), "%T", v)
		good := *tok
		good.AccessToken = "pina_x"
		handed, err := testConfig().TokenSource(t.Context(), &good).TokenContext(t.Context())
		require.NoError(t, err)
		until, _ = pinterest.RefreshExpiry(handed)
		assert.Equal(t, int64(at), until.Unix(), "a source hands it on, %T", v)
		data, err := pinterest.MarshalToken(tok)
		require.NoError(t, err)
		assert.Equal(t, `{"version":1,"refresh_token":"pinr.x","refresh_token_expires_at":1800000000}`, string(data), "%T", v)
	}
	for _, v := range []any{nil, true, "soon", []int{at}, math.NaN(), -1, 0} {
		_, ok := pinterest.RefreshExpiry((&oauth2.Token{RefreshToken: "pinr.x"}).WithExtra(map[string]any{"refresh_token_expires_at": v}))
		assert.False(t, ok, "%T %v", v, v)
	}
}

func TestATokenGoesOnlyToTheServerThatIssuedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answering(http.StatusOK, goodAnswer)
		sandbox := testConfig()
		sandbox.Endpoint = pinterest.SandboxEndpoint
		tok, err := sandbox.Exchange(w.context(t.Context()), "code")
		require.NoError(t, err)
		s := pinterest.NewMemoryStore()
		require.NoError(t, save(t, s, "account", tok))
		for range 2 { // good, and then expired
			accounts := &pinterest.Accounts{Config: testConfig(), Store: s, HTTPClient: &http.Client{Transport: w}}
			_, err = accounts.Client("account").Get(account)
			require.ErrorIs(t, err, pinterest.ErrClientRejected)
			require.ErrorContains(t, err, `the token was issued by "api-sandbox.pinterest.com" and Endpoint is that of "api.pinterest.com": use the endpoint that issued it`)
			_, errs := collect(accounts.KeepAlive(t.Context(), &pinterest.KeepAliveOptions{Within: 1000 * day}))
			require.ErrorIs(t, errs["account"], pinterest.ErrClientRejected)
			assert.Len(t, w.requests(), 1)
			time.Sleep(31 * day)
		}
	})
}

func TestTheServerThatIssuedATokenIsTheSameHoweverItsHostIsWritten(t *testing.T) {
	w := answering(http.StatusOK, goodAnswer)
	ctx := w.context(t.Context())
	for _, other := range []string{"https://api.pinterest.com:443/v5/oauth/token", "https://API.Pinterest.com/v5/oauth/token"} {
		c := testConfig()
		c.Endpoint = oauth2.Endpoint{TokenURL: other}
		tok, err := c.Exchange(ctx, "code")
		require.NoError(t, err)
		_, err = testConfig().TokenSource(ctx, tok).Refresh(ctx)
		require.NoError(t, err)
		_, err = testConfig().ConversionToken(ctx, c.TokenSource(ctx, tok))
		require.NoError(t, err)
	}
	c := testConfig()
	c.Endpoint = oauth2.Endpoint{TokenURL: "https://api.pinterest.com:8443/v5/oauth/token"}
	tok, err := c.Exchange(ctx, "code")
	require.NoError(t, err)
	_, err = testConfig().TokenSource(ctx, tok).Refresh(ctx)
	require.ErrorIs(t, err, pinterest.ErrClientRejected)
}

func TestWhoIssuedATokenAndByWhichGrantIsNotTheAnswersToSay(t *testing.T) {
	ctx := answering(http.StatusOK, `{"access_token":"pina_new","issuer":"example.com","grant":"client_credentials"}`).context(t.Context())
	user, err := testConfig().Exchange(ctx, "code")
	require.NoError(t, err)
	conversion, err := testConfig().ConversionToken(ctx, oauth2.StaticTokenSource(user))
	require.NoError(t, err)
	for _, tok := range []*oauth2.Token{user, conversion} {
		assert.Equal(t, "api.pinterest.com", tok.Extra("issuer"))
		assert.Nil(t, tok.Extra("grant"))
	}
}

func TestScopesAreReadInAStringOrAList(t *testing.T) {
	want := []string{"boards:read", "pins:read"}
	for _, scope := range []string{`"boards:read pins:read"`, `"boards:read,pins:read"`, `"boards:read\r\npins:read "`, `["boards:read","pins:read"]`, `["boards:read, pins:read", 7]`} {
		ctx := answering(http.StatusOK, `{"access_token":"pina_new","refresh_token":"pinr.new","scope":`+scope+`}`).context(t.Context())
		tok, err := testConfig().TokenSource(ctx, expiredToken().WithExtra(map[string]any{"scope": "ads:read"})).Refresh(ctx)
		require.NoError(t, err)
		assert.Equal(t, want, pinterest.GrantedScopes(tok), scope)
		data, err := pinterest.MarshalToken(tok)
		require.NoError(t, err)
		tok, err = pinterest.UnmarshalToken(data)
		require.NoError(t, err)
		assert.Equal(t, want, pinterest.GrantedScopes(tok), scope)

		tok, err = pinterest.UnmarshalToken([]byte(`{"access_token":"pina_new","scope":` + scope + `}`))
		require.NoError(t, err)
		assert.Equal(t, want, pinterest.GrantedScopes(tok), scope)
	}
	assert.Equal(t, want, pinterest.GrantedScopes(new(oauth2.Token).WithExtra(map[string]any{"scope": want})))
	assert.Nil(t, pinterest.GrantedScopes(new(oauth2.Token).WithExtra(map[string]any{"scope": []any{" "}})))
}

func TestARecordThatAnEditorPutAMarkBeforeIsRead(t *testing.T) {
	tok, err := pinterest.UnmarshalToken([]byte("\ufeff" + `{"access_token":"pina_new"}` + "\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "pina_new", tok.AccessToken)
}

package pinterest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestAuthCodeURLSendsCommasAndTheAppsNames(t *testing.T) {
	assert.Equal(t,
		"https://www.pinterest.com/oauth/?client_id=1234567&redirect_uri=http%3A%2F%2Flocalhost%3A8085%2F&response_type=code&scope=boards%3Aread%2Cpins%3Aread&state=st%26te",
		testConfig().AuthCodeURL("st&te"))
}

func TestAuthCodeURLLetsTheCallersOptionsWin(t *testing.T) {
	assert.Equal(t,
		"https://www.pinterest.com/oauth/?client_id=1234567&prompt=consent&redirect_uri=https%3A%2F%2Fexample.com%2F&response_type=code&scope=ads%3Aread",
		testConfig().AuthCodeURL("", oauth2.ApprovalForce, oauth2.SetAuthURLParam("scope", "ads:read"), oauth2.SetAuthURLParam("redirect_uri", "https://example.com/")))
}

func TestSandboxAuthorizesAtTheSharedPage(t *testing.T) {
	conf := testConfig()
	conf.Endpoint = pinterest.SandboxEndpoint
	conf.Scopes, conf.RedirectURL = nil, ""
	assert.Equal(t, "https://www.pinterest.com/oauth/?client_id=1234567&response_type=code&state=s", conf.AuthCodeURL("s"))
}

// What goes on the wire, to the letter.
func TestTokenRequests(t *testing.T) {
	cases := map[string]struct {
		change func(*pinterest.Config)
		send   func(context.Context, *pinterest.Config) error
		url    string
		body   string
	}{
		"exchange asks for continuous refresh": {
			send: func(ctx context.Context, c *pinterest.Config) error { _, err := c.Exchange(ctx, "c+de"); return err },
			body: "code=c%2Bde&continuous_refresh=true&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8085%2F",
		},
		"exchange of a legacy app asks for nothing": {
			change: func(c *pinterest.Config) { c.RefreshOn = pinterest.RefreshOnLegacy },
			send:   func(ctx context.Context, c *pinterest.Config) error { _, err := c.Exchange(ctx, "code"); return err },
			body:   "code=code&grant_type=authorization_code&redirect_uri=http%3A%2F%2Flocalhost%3A8085%2F",
		},
		"exchange lets the caller's options win": {
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.Exchange(ctx, "code", oauth2.SetAuthURLParam("continuous_refresh", "false"),
					oauth2.SetAuthURLParam("redirect_uri", "https://example.com/cb"), oauth2.VerifierOption("v3rifier"),
					oauth2.SetAuthURLParam("client_id", "other"), oauth2.SetAuthURLParam("response_type", "token"), oauth2.SetAuthURLParam("grant_type", "custom"))
				return err
			},
			body: "client_id=other&code=code&code_verifier=v3rifier&continuous_refresh=false&grant_type=custom&redirect_uri=https%3A%2F%2Fexample.com%2Fcb&response_type=token",
		},
		"refresh asks in both words": {
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.TokenSource(ctx, expiredToken()).Token()
				return err
			},
			body: "continuous_refresh=true&grant_type=refresh_token&refresh_on=true&refresh_token=pinr.old",
		},
		"refresh of a legacy app asks for nothing": {
			change: func(c *pinterest.Config) { c.RefreshOn = pinterest.RefreshOnLegacy },
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.TokenSource(ctx, expiredToken()).Token()
				return err
			},
			body: "grant_type=refresh_token&refresh_token=pinr.old",
		},
		"client credentials send the scopes": {
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ClientCredentials(ctx).Token()
				return err
			},
			body: "grant_type=client_credentials&scope=boards%3Aread%2Cpins%3Aread",
		},
		"the sandbox has a token endpoint of its own": {
			change: func(c *pinterest.Config) { c.Endpoint = pinterest.SandboxEndpoint },
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ClientCredentials(ctx).Token()
				return err
			},
			url:  "https://api-sandbox.pinterest.com/v5/oauth/token",
			body: "grant_type=client_credentials&scope=boards%3Aread%2Cpins%3Aread",
		},
		"an endpoint that leaves the style to detection gets Basic": {
			change: func(c *pinterest.Config) { c.Endpoint = endpoints.Pinterest },
			send: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ClientCredentials(ctx).Token()
				return err
			},
			body: "grant_type=client_credentials&scope=boards%3Aread%2Cpins%3Aread",
		},
		"revoke names the kind of token": {
			send: func(ctx context.Context, c *pinterest.Config) error {
				return c.Revoke(ctx, &oauth2.Token{RefreshToken: "pinr.x"})
			},
			url:  "https://api.pinterest.com/v5/oauth/token/revoke",
			body: "token=pinr.x&token_type_hint=refresh_token",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conf := testConfig()
			if c.change != nil {
				c.change(conf)
			}
			w := answering(http.StatusOK, goodAnswer)
			require.NoError(t, c.send(w.context(t.Context()), conf))
			require.Len(t, w.requests(), 1)
			got := w.requests()[0]
			if c.url == "" {
				c.url = "https://api.pinterest.com/v5/oauth/token"
			}
			assert.Equal(t, http.MethodPost, got.method)
			assert.Equal(t, c.url, got.url)
			assert.Equal(t, c.body, got.body)
			assert.Equal(t, http.Header{
				"Accept":        {"application/json"},
				"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("1234567:s3cret-of-the-app"))},
				"Content-Type":  {"application/x-www-form-urlencoded"},
			}, got.header)
		})
	}
}

// RFC 6749, section 5.1: an answer need not name the scopes that were asked for.
func TestTheScopesOfClientCredentialsAreKnownWhateverTheAnswerLeavesOut(t *testing.T) {
	for answer, want := range map[string][]string{
		`{"access_token":"pinc_x"}`:                    {"boards:read", "pins:read"},
		`{"access_token":"pinc_x","scope":""}`:         {"boards:read", "pins:read"},
		`{"access_token":"pinc_x","scope":"ads:read"}`: {"ads:read"},
	} {
		tok, err := testConfig().ClientCredentials(answering(http.StatusOK, answer).context(t.Context())).Token()
		require.NoError(t, err)
		assert.Equal(t, want, pinterest.GrantedScopes(tok))
	}
}

func TestRevokeKillsBothTokens(t *testing.T) {
	w := answering(http.StatusOK, "")
	require.NoError(t, testConfig().Revoke(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"}))
	require.Len(t, w.requests(), 2)
	assert.Equal(t, "token=pinr.x&token_type_hint=refresh_token", w.requests()[0].body)
	assert.Equal(t, "token=pina_x&token_type_hint=access_token", w.requests()[1].body)
}

func TestRevokeOfAUsersTokenIsTheOperatorsToMend(t *testing.T) {
	w := answering(http.StatusForbidden, `{"code":29,"message":"You are not permitted to access that resource."}`)
	err := testConfig().Revoke(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"})
	require.ErrorIs(t, err, pinterest.ErrClientRejected)
	assert.Len(t, w.requests(), 1, "nothing more is sent")
}

func TestConversionTokenIsBoughtWithTheUsers(t *testing.T) {
	w := answering(http.StatusOK, `{"access_token":"pina_conv","token_type":"conversion"}`)
	src := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pina_user"})
	tok, err := testConfig().ConversionToken(w.context(t.Context()), src)
	require.NoError(t, err)
	assert.Equal(t, "pina_conv", tok.AccessToken)
	assert.Equal(t, "Bearer", tok.Type(), "the API takes it as a bearer token")
	assert.Equal(t, "conversion", tok.Extra("token_type"), "whatever Pinterest calls it")
	assert.True(t, tok.Expiry.IsZero())
	require.Len(t, w.requests(), 1)
	got := w.requests()[0]
	assert.Equal(t, "https://api.pinterest.com/v5/oauth/conversion_token", got.url)
	assert.Equal(t, http.MethodPost, got.method)
	assert.Empty(t, got.body)
	assert.Equal(t, "Bearer pina_user", got.header.Get("Authorization"))
}

func TestConversionTokenRenewsARejectedToken(t *testing.T) {
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Path == "/v5/oauth/token":
			return answer(http.StatusOK, goodAnswer), nil
		case r.Header.Get("Authorization") == "Bearer pina_new":
			return answer(http.StatusOK, `{"access_token":"pina_conv","token_type":"conversion"}`), nil
		}
		return answer(http.StatusUnauthorized, `{"code":2,"message":"Authentication failed."}`), nil
	}}
	conf, ctx := testConfig(), w.context(t.Context())
	tok, err := conf.ConversionToken(ctx, conf.TokenSource(ctx, &oauth2.Token{AccessToken: "pina_dead", RefreshToken: "pinr.x"}))
	require.NoError(t, err)
	assert.Equal(t, "pina_conv", tok.AccessToken)
}

func TestBadInputIsRefusedBeforeAnyTraffic(t *testing.T) {
	cases := map[string]struct {
		change  func(*pinterest.Config)
		do      func(context.Context, *pinterest.Config) error
		message string
		is      error
	}{
		"an empty ClientID": {
			change:  func(c *pinterest.Config) { c.ClientID = "" },
			do:      exchange("code"),
			message: "pinterest: exchange: ClientID is empty: set it to the app id that Pinterest's developer page shows",
			is:      pinterest.ErrClientRejected,
		},
		"an empty ClientID at a refresh": {
			change:  func(c *pinterest.Config) { c.ClientID = "" },
			do:      firstToken(expiredToken()),
			message: "pinterest: refresh: ClientID is empty: set it to the app id that Pinterest's developer page shows",
			is:      pinterest.ErrClientRejected,
		},
		"an empty ClientSecret": {
			change:  func(c *pinterest.Config) { c.ClientSecret = "" },
			do:      exchange("code"),
			message: "pinterest: exchange: ClientSecret is empty: set it to the app secret key that Pinterest's developer page shows",
			is:      pinterest.ErrClientRejected,
		},
		"an empty code": {
			do:      exchange(""),
			message: "pinterest: exchange: the authorization code is empty: pass the code parameter of the redirect, and look for its error parameter first",
		},
		"no redirect URL at the exchange": {
			change:  func(c *pinterest.Config) { c.RedirectURL = "" },
			do:      exchange("code"),
			message: "pinterest: exchange: RedirectURL is empty: set it to the one the code was asked for with",
			is:      pinterest.ErrClientRejected,
		},
		"no scope for client credentials": {
			change: func(c *pinterest.Config) { c.Scopes = nil },
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ClientCredentials(ctx).Token()
				return err
			},
			message: "pinterest: client_credentials: Scopes is empty: client credentials need at least one scope",
			is:      pinterest.ErrClientRejected,
		},
		"a token URL that is not https": {
			change:  func(c *pinterest.Config) { c.Endpoint.TokenURL = "http://api.pinterest.com/v5/oauth/token" },
			do:      exchange("code"),
			message: "pinterest: exchange: Endpoint.TokenURL must be https, as secrets travel in the request (plain http is for loopback alone)",
			is:      pinterest.ErrClientRejected,
		},
		"a scope list that splitting an empty string gives": {
			change: func(c *pinterest.Config) { c.Scopes = []string{"", " "} },
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ClientCredentials(ctx).Token()
				return err
			},
			message: "pinterest: client_credentials: Scopes is empty: client credentials need at least one scope",
			is:      pinterest.ErrClientRejected,
		},
		"a blank code": {
			do:      exchange(" "),
			message: "pinterest: exchange: the authorization code is blank: pass the code parameter of the redirect, and look for its error parameter first",
		},
		"a token URL with a password": {
			change:  func(c *pinterest.Config) { c.Endpoint.TokenURL = "https://me:secret@api.pinterest.com/v5/oauth/token" },
			do:      exchange("code"),
			message: "pinterest: exchange: Endpoint.TokenURL must not hold a user or password: the app id and secret are sent by themselves",
			is:      pinterest.ErrClientRejected,
		},
		"a token URL that ends in a space": {
			change:  func(c *pinterest.Config) { c.Endpoint.TokenURL = "https://api.pinterest.com/v5/oauth/token " },
			do:      exchange("code"),
			message: "pinterest: exchange: Endpoint.TokenURL ends in a space: leave Endpoint zero for Pinterest's own",
			is:      pinterest.ErrClientRejected,
		},
		"a token URL without a host": {
			change:  func(c *pinterest.Config) { c.Endpoint.TokenURL = "https://:1/v5/oauth/token" },
			do:      exchange("code"),
			message: "pinterest: exchange: Endpoint.TokenURL is not an absolute URL: leave Endpoint zero for Pinterest's own",
			is:      pinterest.ErrClientRejected,
		},
		"revoking a token of the other environment": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				tok, err := pinterest.UnmarshalToken([]byte(`{"version":1,"refresh_token":"pinr.x","issuer":"api-sandbox.pinterest.com"}`))
				if err != nil {
					return err
				}
				return c.Revoke(ctx, tok)
			},
			message: "pinterest: revoke: the token was issued by \"api-sandbox.pinterest.com\" and Endpoint is that of \"api.pinterest.com\": use the endpoint that issued it",
			is:      pinterest.ErrClientRejected,
		},
		"a conversion token by another server's source": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				other := testConfig()
				other.Endpoint = pinterest.SandboxEndpoint
				_, err := c.ConversionToken(ctx, other.TokenSource(ctx, &oauth2.Token{AccessToken: "pina_x"}))
				return err
			},
			message: "pinterest: conversion_token: the token source is another server's: use the Config that made it",
			is:      pinterest.ErrClientRejected,
		},
		"a conversion token by another server's token": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				tok, err := pinterest.UnmarshalToken([]byte(`{"version":1,"access_token":"pina_x","issuer":"api-sandbox.pinterest.com"}`))
				if err != nil {
					return err
				}
				_, err = c.ConversionToken(ctx, oauth2.StaticTokenSource(tok))
				return err
			},
			message: `pinterest: conversion_token: the token was issued by "api-sandbox.pinterest.com" and Endpoint is that of "api.pinterest.com": use the endpoint that issued it`,
			is:      pinterest.ErrClientRejected,
		},
		"a conversion token by a nil source": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ConversionToken(ctx, (*pinterest.TokenSource)(nil))
				return err
			},
			message: "pinterest: conversion_token: the token source is nil: pass one whose tokens have the scope ads:write",
		},
		"a conversion token by an empty token": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ConversionToken(ctx, oauth2.StaticTokenSource(nil))
				return err
			},
			message: "pinterest: conversion_token: the token source gave no token",
		},
		"a conversion token by a token with a line break": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ConversionToken(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pina_x\n"}))
				return err
			},
			message: "pinterest: conversion_token: the source's access token ends in a line break",
		},
		"a token URL that is none": {
			change:  func(c *pinterest.Config) { c.Endpoint.TokenURL = "api.pinterest.com" },
			do:      exchange("code"),
			message: "pinterest: exchange: Endpoint.TokenURL is not an absolute URL: leave Endpoint zero for Pinterest's own",
			is:      pinterest.ErrClientRejected,
		},
		"an expired token with nothing to renew it by": {
			do:      firstToken(&oauth2.Token{AccessToken: "pina_x", Expiry: time.Now().Add(-time.Hour)}),
			message: "pinterest: refresh: the token has no refresh token to renew it by: the user must authorize the app again",
			is:      pinterest.ErrReauthorize,
		},
		"no token at all": {
			do:      firstToken(nil),
			message: "pinterest: refresh: there is no token to begin with: the user must authorize the app first",
			is:      pinterest.ErrReauthorize,
		},
		"a token of the other environment": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				tok, err := pinterest.UnmarshalToken([]byte(`{"version":1,"refresh_token":"pinr.x","issuer":"api-sandbox.pinterest.com"}`))
				if err != nil {
					return err
				}
				return firstToken(tok)(ctx, c)
			},
			message: "pinterest: refresh: the token was issued by \"api-sandbox.pinterest.com\" and Endpoint is that of \"api.pinterest.com\": use the endpoint that issued it",
			is:      pinterest.ErrClientRejected,
		},
		"nothing to revoke": {
			do:      func(ctx context.Context, c *pinterest.Config) error { return c.Revoke(ctx, &oauth2.Token{}) },
			message: "pinterest: revoke: the token is empty: there is nothing to revoke",
		},
		"no token to revoke": {
			do:      func(ctx context.Context, c *pinterest.Config) error { return c.Revoke(ctx, nil) },
			message: "pinterest: revoke: the token is empty: there is nothing to revoke",
		},
		"revoking in the clear": {
			change: func(c *pinterest.Config) { c.Endpoint.TokenURL = "http://10.0.0.1/v5/oauth/token" },
			do: func(ctx context.Context, c *pinterest.Config) error {
				return c.Revoke(ctx, &oauth2.Token{AccessToken: "pina_x"})
			},
			message: "pinterest: revoke: Endpoint.TokenURL must be https, as secrets travel in the request (plain http is for loopback alone)",
			is:      pinterest.ErrClientRejected,
		},
		"a conversion token in the clear": {
			change: func(c *pinterest.Config) { c.Endpoint.TokenURL = "http://10.0.0.1/v5/oauth/token" },
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ConversionToken(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pina_x"}))
				return err
			},
			message: "pinterest: conversion_token: Endpoint.TokenURL must be https, as secrets travel in the request (plain http is for loopback alone)",
			is:      pinterest.ErrClientRejected,
		},
		"no source for a conversion token": {
			do: func(ctx context.Context, c *pinterest.Config) error {
				_, err := c.ConversionToken(ctx, nil)
				return err
			},
			message: "pinterest: conversion_token: the token source is nil: pass one whose tokens have the scope ads:write",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conf := testConfig()
			conf.Endpoint = pinterest.Endpoint
			if c.change != nil {
				c.change(conf)
			}
			w := answering(http.StatusOK, goodAnswer)
			err := c.do(w.context(t.Context()), conf)
			require.EqualError(t, err, c.message)
			assert.Empty(t, w.requests())
			for _, sentinel := range []error{pinterest.ErrReauthorize, pinterest.ErrClientRejected} {
				assert.Equal(t, sentinel == c.is, errors.Is(err, sentinel), "%v", sentinel)
			}
			var e *pinterest.Error
			require.ErrorAs(t, err, &e)
			assert.False(t, e.Temporary())
		})
	}
}

func exchange(code string) func(context.Context, *pinterest.Config) error {
	return func(ctx context.Context, c *pinterest.Config) error {
		_, err := c.Exchange(ctx, code)
		return err
	}
}

func firstToken(t *oauth2.Token) func(context.Context, *pinterest.Config) error {
	return func(ctx context.Context, c *pinterest.Config) error {
		_, err := c.TokenSource(ctx, t).Token()
		return err
	}
}

func TestPlainHTTPIsForLoopback(t *testing.T) {
	for _, host := range []string{"localhost:8080", "127.0.0.1:1", "127.8.8.8", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		conf := testConfig()
		conf.Endpoint.TokenURL = "http://" + host + "/v5/oauth/token"
		w := answering(http.StatusOK, goodAnswer)
		_, err := conf.Exchange(w.context(t.Context()), "code")
		assert.NoError(t, err, host)
	}
	for _, host := range []string{"localhost.example.com", "128.0.0.1", "[::2]", "127.0.0.1.nip.io", "0.0.0.0"} {
		conf := testConfig()
		conf.Endpoint.TokenURL = "http://" + host + "/v5/oauth/token"
		w := answering(http.StatusOK, goodAnswer)
		_, err := conf.Exchange(w.context(t.Context()), "code")
		assert.ErrorIs(t, err, pinterest.ErrClientRejected, host)
		assert.Empty(t, w.requests(), host)
	}
}

// A code works once: whoever sends it twice can lose what the first answer
// brought. A request that cannot have left is another matter.
func TestExchangeIsTriedAgainOnlyIfTheRequestNeverLeft(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	cut := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	for name, c := range map[string]struct {
		wire *wire
		want int
	}{
		"no connection":      {failing(refused), 4},
		"connection cut":     {failing(cut), 1},
		"server fault":       {answering(http.StatusServiceUnavailable, ""), 1},
		"rate limit":         {answering(http.StatusTooManyRequests, ""), 1},
		"code 12 as a 400":   {answering(http.StatusBadRequest, `{"code":12,"message":"Something went wrong"}`), 1},
		"a refused code":     {answering(http.StatusUnauthorized, `{"code":283,"message":"Invalid code"}`), 1},
		"an unusable answer": {answering(http.StatusOK, "<html>"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := testConfig().Exchange(c.wire.context(t.Context()), "code")
				require.Error(t, err)
				assert.Len(t, c.wire.requests(), c.want)
			})
		})
	}
}

func TestExchangeLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		_, err := testConfig().Exchange(w.context(ctx), "code")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var e *pinterest.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Temporary())
	})
	for name, after := range map[string]time.Duration{"before a second try": 100 * time.Millisecond, "during the first try": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
				w, start := failing(refused), time.Now()
				if after > 0 {
					time.AfterFunc(after, cancel)
				} else {
					w.answer = func(*http.Request) (*http.Response, error) {
						cancel()
						return nil, refused
					}
				}
				_, err := testConfig().Exchange(w.context(ctx), "code")
				require.ErrorIs(t, err, refused)
				assert.Equal(t, after, time.Since(start))
				assert.Len(t, w.requests(), 1)
			})
		})
	}
}

// A program written for oauth2.Config compiles with the type's name changed.
func TestConfigStandsInForOAuth2Config(t *testing.T) {
	type config interface {
		AuthCodeURL(state string, opts ...oauth2.AuthCodeOption) string
		Exchange(ctx context.Context, code string, opts ...oauth2.AuthCodeOption) (*oauth2.Token, error)
		Client(ctx context.Context, t *oauth2.Token) *http.Client
	}
	var _ config = (*oauth2.Config)(nil)
	var _ config = (*pinterest.Config)(nil)
	var _ oauth2.TokenSource = (*pinterest.TokenSource)(nil)

	conf := testConfig()
	conf.Endpoint = endpoints.Pinterest
	conf.Endpoint.AuthURL = pinterest.Endpoint.AuthURL
	std := conf.OAuth2()
	assert.Equal(t, oauth2.AuthStyleInHeader, std.Endpoint.AuthStyle, "or it would post a refused code twice")
	std.Endpoint.AuthStyle = 0
	assert.Equal(t, &oauth2.Config{
		ClientID: conf.ClientID, ClientSecret: conf.ClientSecret, RedirectURL: conf.RedirectURL, Scopes: conf.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: "https://www.pinterest.com/oauth/", TokenURL: "https://api.pinterest.com/v5/oauth/token"},
	}, std)
}

func TestNoFormatOfAConfigHoldsItsSecret(t *testing.T) {
	conf := testConfig()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("starting", "config", conf, "value", *conf)
	slog.New(slog.NewTextHandler(&log, nil)).Info("starting", "config", conf, "value", *conf)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{conf, *conf, struct{ Config *pinterest.Config }{conf}, []pinterest.Config{*conf}} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
	}
	require.Contains(t, log.String(), "1234567")
	assert.NotContains(t, log.String(), conf.ClientSecret)
	assert.NotContains(t, log.String(), fmt.Sprintf("%x", conf.ClientSecret))
}

func TestWhatFormatsShow(t *testing.T) {
	conf, mem := testConfig(), pinterest.NewMemoryStore()
	legacy := *conf
	legacy.RefreshOn, legacy.RefreshAhead = pinterest.RefreshOnLegacy, time.Hour
	for want, v := range map[string]any{
		`pinterest.Config{ClientID: "1234567", Host: "api.pinterest.com", RedirectURL: "http://localhost:8085/", Scopes: ["boards:read" "pins:read"], RefreshOn: continuous, RefreshAhead: 0s}`: conf,
		`pinterest.Config{ClientID: "1234567", Host: "api.pinterest.com", RedirectURL: "http://localhost:8085/", Scopes: ["boards:read" "pins:read"], RefreshOn: legacy, RefreshAhead: 1h0m0s}`: legacy,
		`pinterest.TokenSource{}`: new(pinterest.TokenSource),
		`pinterest.TokenSource{refresh, Host: "api.pinterest.com", Key: ""}`:            conf.TokenSource(t.Context(), nil),
		`pinterest.TokenSource{client_credentials, Host: "api.pinterest.com", Key: ""}`: conf.ClientCredentials(t.Context()),
		`pinterest.TokenSource{refresh, Host: "api.pinterest.com", Key: "account"}`:     (&pinterest.Accounts{Config: conf, Store: mem}).Source("account"),
		`pinterest.NewMemoryStore()`: mem,
		`pinterest.Encrypted(…)`:     pinterest.Encrypted(mem, newAEAD(t, false)),
	} {
		assert.Equal(t, want, fmt.Sprint(v))
		assert.Equal(t, want, fmt.Sprintf("%#v", v))
	}
}

func TestNoFormatOfASourceOrStoreHoldsASecret(t *testing.T) {
	conf, mem := testConfig(), pinterest.NewMemoryStore()
	require.NoError(t, save(t, mem, "account", &oauth2.Token{AccessToken: "pina_live", RefreshToken: "pinr.live"}))
	accounts := &pinterest.Accounts{Config: conf, Store: mem}
	src := accounts.Source("account")
	_, err := src.Token()
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{src, mem, pinterest.Encrypted(mem, newAEAD(t, false)), &pinterest.Transport{Source: src}, pinterest.NewClient(t.Context(), src), accounts.Client("account")} {
			said := fmt.Sprintf(verb, v)
			for _, secret := range []string{conf.ClientSecret, "pina_live", "pinr.live"} {
				assert.NotContains(t, said, secret)
				assert.NotContains(t, said, strings.Trim(fmt.Sprint([]byte(secret)), "[]"))
				assert.NotContains(t, said, fmt.Sprintf("%x", secret))
			}
		}
	}
}

func TestConversionTokenWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t, &pinteresttest.Handler{Latency: 10 * time.Second})
		src := l.conf.TokenSource(l.ctx, &oauth2.Token{RefreshToken: l.tok.RefreshToken})
		ctx, cancel := context.WithTimeout(l.ctx, time.Second)
		defer cancel()
		start := time.Now()
		_, err := l.conf.ConversionToken(ctx, src)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		time.Sleep(time.Minute)
	})
}

func TestScopesAreThoseOfPinterestsDescription(t *testing.T) {
	assert.Len(t, map[string]bool{
		pinterest.ScopeAdsRead: true, pinterest.ScopeAdsWrite: true, pinterest.ScopeBillingRead: true, pinterest.ScopeBillingWrite: true,
		pinterest.ScopeBizAccessRead: true, pinterest.ScopeBizAccessWrite: true, pinterest.ScopeBoardsRead: true, pinterest.ScopeBoardsReadSecret: true,
		pinterest.ScopeBoardsWrite: true, pinterest.ScopeBoardsWriteSecret: true, pinterest.ScopeCatalogsRead: true, pinterest.ScopeCatalogsWrite: true,
		pinterest.ScopeMSOTWrite: true, pinterest.ScopePinsRead: true, pinterest.ScopePinsReadSecret: true, pinterest.ScopePinsWrite: true,
		pinterest.ScopePinsWriteSecret: true, pinterest.ScopeUserAccountsRead: true, pinterest.ScopeUserAccountsWrite: true,
	}, 19)
}

// RFC 6749, section 2.3.1.
func TestBasicEscapesIDAndSecret(t *testing.T) {
	conf := testConfig()
	conf.ClientID, conf.ClientSecret = "id:1/2", "s+c/r%t:=é"
	w := answering(http.StatusOK, goodAnswer)
	_, err := conf.Exchange(w.context(t.Context()), "code")
	require.NoError(t, err)
	assert.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("id%3A1%2F2:s%2Bc%2Fr%25t%3A%3D%C3%A9")), w.requests()[0].header.Get("Authorization"))
}

func TestRevokeGoesOnAfterARefreshTokenThatIsDead(t *testing.T) {
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		form, _ := r.GetBody()
		if body, _ := io.ReadAll(form); strings.Contains(string(body), "pinr.x") {
			return answer(http.StatusUnauthorized, `{"code":283,"message":"Invalid"}`), nil
		}
		return answer(http.StatusOK, ""), nil
	}}
	require.NoError(t, testConfig().Revoke(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x", RefreshToken: "pinr.x"}))
	require.Len(t, w.requests(), 2)
	assert.Equal(t, "token=pina_x&token_type_hint=access_token", w.requests()[1].body)
}

func TestRevokeSendsNothingIfOneOfTheTokensIsNone(t *testing.T) {
	w := answering(http.StatusOK, "")
	err := testConfig().Revoke(w.context(t.Context()), &oauth2.Token{AccessToken: "pina_x\n", RefreshToken: "pinr.x"})
	require.EqualError(t, err, "pinterest: revoke: the access token ends in a line break")
	assert.Empty(t, w.requests())
}

// They come with a value that was read from a file or pasted.
func TestWhiteSpaceInInputIsToldByName(t *testing.T) {
	const shown = ": set it to the app id that Pinterest's developer page shows"
	for s, what := range map[string]string{
		"":              "ClientID is empty" + shown,
		" \t":           "ClientID is blank" + shown,
		"1234567\n":     "ClientID ends in a line break" + shown,
		"\ufeff1234567": "ClientID begins with the character U+FEFF" + shown,
		"1234567\u200b": "ClientID ends in the character U+200B" + shown,
		"1234567\xff":   "ClientID ends in the character U+FFFD" + shown,
		"1234567\r\n":   "ClientID ends in a carriage return" + shown,
		" 1234567":      "ClientID begins with a space" + shown,
		"123\t4567":     "ClientID holds a tab" + shown,
		"\ufeff12":      "",
		"12\u200928":    "ClientID holds the character U+2009" + shown,
		"1234567\x00":   "ClientID ends in the character U+0000" + shown,
		"1234567\u0085": "ClientID ends in the character U+0085" + shown,
	} {
		conf, w := testConfig(), answering(http.StatusOK, goodAnswer)
		conf.ClientID = s
		_, err := conf.Exchange(w.context(t.Context()), "code")
		if what == "" {
			continue // a byte order mark is neither white space nor a control character
		}
		require.EqualError(t, err, "pinterest: exchange: "+what)
		require.ErrorIs(t, err, pinterest.ErrClientRejected)
		assert.Empty(t, w.requests())
	}
	for name, c := range map[string]struct {
		change func(*pinterest.Config)
		do     func(context.Context, *pinterest.Config) error
		want   string
	}{
		"a secret": {func(c *pinterest.Config) { c.ClientSecret += "\r\n" }, exchange("code"),
			"pinterest: exchange: ClientSecret ends in a carriage return: set it to the app secret key that Pinterest's developer page shows"},
		"a code": {nil, exchange("code\n"),
			"pinterest: exchange: the authorization code ends in a line break: pass the code parameter of the redirect, and look for its error parameter first"},
		"a refresh token": {nil, firstToken(&oauth2.Token{RefreshToken: "pinr.x\n"}), "pinterest: refresh: the refresh token ends in a line break"},
		"a token to revoke": {nil, func(ctx context.Context, c *pinterest.Config) error {
			return c.Revoke(ctx, &oauth2.Token{AccessToken: "pina x"})
		}, "pinterest: revoke: the access token holds a space"},
	} {
		conf, w := testConfig(), answering(http.StatusOK, goodAnswer)
		if c.change != nil {
			c.change(conf)
		}
		require.EqualError(t, c.do(w.context(t.Context()), conf), c.want, name)
		assert.Empty(t, w.requests(), name)
	}
}

func TestScopesOfOneStringAreScopes(t *testing.T) {
	c := testConfig()
	c.Scopes = []string{"boards:read\npins:read", " ads:read, ", ","}
	assert.Contains(t, c.AuthCodeURL("state"), "&scope=boards%3Aread%2Cpins%3Aread%2Cads%3Aread&")
	c.Scopes = []string{" , "}
	w := answering(http.StatusOK, goodAnswer)
	_, err := c.ClientCredentials(w.context(t.Context())).Token()
	require.ErrorContains(t, err, "Scopes is empty")
	assert.Empty(t, w.requests())
}

func TestAnAccessTokenThatNoRequestCanCarryIsToldByWhatIsWrongWithIt(t *testing.T) {
	for access, fault := range map[string]string{"pina_x\n": "the access token ends in a line break", "Bearer pina_x": "the access token holds a space"} {
		w := answering(http.StatusOK, goodAnswer)
		_, err := testConfig().TokenSource(w.context(t.Context()), &oauth2.Token{AccessToken: access}).Token()
		require.ErrorIs(t, err, pinterest.ErrClientRejected)
		require.ErrorContains(t, err, fault)
		assert.Empty(t, w.requests())
	}
}

func TestABadEndpointIsNotBlamedOnTheTokensIssuer(t *testing.T) {
	data := []byte(`{"access_token":"pina_1","refresh_token":"pinr.1","expiry":"2000-01-01T00:00:00Z","issuer":"api.pinterest.com"}`)
	tok, err := pinterest.UnmarshalToken(data)
	require.NoError(t, err)
	conf := testConfig()
	conf.Endpoint.TokenURL = "http://api.pinterest.com/v5/oauth/token"
	_, err = conf.TokenSource(t.Context(), tok).Token()
	require.ErrorContains(t, err, "Endpoint.TokenURL must be https")
	require.ErrorContains(t, conf.Revoke(t.Context(), tok), "Endpoint.TokenURL must be https")
}

func TestASourceThatIsNilSaysHowOneIsMade(t *testing.T) {
	var src *pinterest.TokenSource
	_, err := src.Token()
	require.ErrorContains(t, err, "must be made by a method of Config or Accounts")
	_, err = src.TokenContext(t.Context())
	require.ErrorContains(t, err, "must be made by a method of Config or Accounts")
}

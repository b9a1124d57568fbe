package pinterest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// The token endpoint's answers, what programs that decide by RFC 6749's word
// find, and what ours say.
func TestEveryRefusalIsReadForWhatItMeans(t *testing.T) {
	const temporary = true
	cases := []struct {
		status    int
		body      string
		word      string
		verdict   error
		temporary bool
	}{
		{401, `{"code":2,"message":"Authentication failed."}`, "invalid_client", pinterest.ErrClientRejected, false},
		{401, `{"code":283,"message":"Invalid refresh token","status":"failure"}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{400, `{"code":283,"message":"Invalid refresh token"}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{401, `{"code":28,"message":"Refresh token expired"}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{401, `{"code":3,"message":"Your app is not approved"}`, "unauthorized_client", pinterest.ErrClientRejected, false},
		{403, `{"code":29,"message":"You are not permitted"}`, "unauthorized_client", pinterest.ErrClientRejected, false},
		{429, `{"code":8,"message":"You have exceeded your rate limit"}`, "temporarily_unavailable", nil, temporary},
		{429, ``, "temporarily_unavailable", nil, temporary},
		{403, `{"code":8,"message":"You have exceeded your rate limit"}`, "temporarily_unavailable", nil, temporary},
		{400, `{"code":8}`, "temporarily_unavailable", nil, temporary},
		{200, `{"code":8}`, "", nil, false},
		{500, `{"code":12,"message":"Something went wrong on our end"}`, "server_error", nil, temporary},
		{503, `<html>Service Unavailable</html>`, "server_error", nil, temporary},
		{400, `{"code":12,"message":"Something went wrong on our end"}`, "server_error", nil, temporary},
		{500, `{"code":283,"message":"confused"}`, "server_error", nil, temporary},
		{408, ``, "", nil, temporary},
		{404, `{"code":2,"message":"not found"}`, "", nil, false},
		{400, `{"code":1,"message":"Invalid request"}`, "", nil, false},
		{403, `<html>Request blocked</html>`, "", nil, false},
		{401, ``, "", nil, false},
		{200, ``, "", nil, false},
		{200, `<html>Hello</html>`, "", nil, false},
		{200, `{"code":283,"message":"odd"}`, "", nil, false},
		{200, `[]`, "", nil, false},
		{200, `null`, "", nil, false},
		{200, `{"access_token":42}`, "", nil, false},
		{200, `{"access_token":"pina_\nx"}`, "", nil, false},
		{204, ``, "", nil, false},
		{400, `{"error":"invalid_grant","error_description":"gone"}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{200, `{"error":"invalid_client"}`, "invalid_client", pinterest.ErrClientRejected, false},
		{401, `{"error":"unauthorized_client","code":283}`, "unauthorized_client", pinterest.ErrClientRejected, false},
		{400, `{"error":"invalid_scope"}`, "invalid_scope", pinterest.ErrClientRejected, false},
		{503, `{"status":503,"error":"Service Unavailable"}`, "server_error", nil, temporary},
		{500, `{"error":"invalid_grant"}`, "server_error", nil, temporary},
		{429, `{"error":"Too Many Requests"}`, "temporarily_unavailable", nil, temporary},
		{401, `{"code":283,"error":"Unauthorized"}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{401, `{"code":2,"error":"failure"}`, "invalid_client", pinterest.ErrClientRejected, false},
		{401, `{"code":283.0}`, "invalid_grant", pinterest.ErrReauthorize, false},
		{400, `{"error":{"not":"a word"},"code":"283","message":["not a message"]}`, "invalid_grant", pinterest.ErrReauthorize, false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d %s", c.status, c.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := answering(c.status, c.body)
				_, err := testConfig().TokenSource(w.context(t.Context()), expiredToken()).Token()
				var e *pinterest.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "refresh", e.Op)
				assert.Equal(t, c.status, e.StatusCode)
				assert.Equal(t, c.temporary, e.Temporary())
				for _, verdict := range []error{pinterest.ErrReauthorize, pinterest.ErrClientRejected} {
					assert.Equal(t, verdict == c.verdict, errors.Is(err, verdict), "%v", verdict)
				}
				var r *oauth2.RetrieveError
				require.ErrorAs(t, err, &r)
				assert.Same(t, r, e.Err)
				assert.Equal(t, c.word, r.ErrorCode)
				require.NotNil(t, r.Response)
				assert.Equal(t, c.status, r.Response.StatusCode)
				if c.temporary {
					assert.Len(t, w.requests(), 4)
				} else {
					assert.Len(t, w.requests(), 1)
				}
			})
		})
	}
}

func TestAnErrorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	resp := func() *http.Response {
		r := answer(401, `{"code":283,"message":"The refresh\ntoken is invalid.","status":"failure"}`)
		r.Header.Set("X-Pinterest-Rid", "123456789")
		return r
	}
	w := &wire{answer: func(*http.Request) (*http.Response, error) { return resp(), nil }}
	_, err := testConfig().TokenSource(w.context(t.Context()), expiredToken()).Token()
	require.EqualError(t, err, "pinterest: refresh: 401 Unauthorized: The refresh token is invalid. (code 283, request id 123456789); the user must authorize the app again")
	var e *pinterest.Error
	require.ErrorAs(t, err, &e)
	var r *oauth2.RetrieveError
	require.ErrorAs(t, err, &r)
	assert.Equal(t, &pinterest.Error{Op: "refresh", StatusCode: 401, Code: 283, Message: "The refresh\ntoken is invalid.", RequestID: "123456789", Err: r}, e)
	assert.Equal(t, "invalid_grant", r.ErrorCode)
	assert.Equal(t, "The refresh\ntoken is invalid.", r.ErrorDescription)

	for _, c := range []struct {
		status     int
		body, want string
	}{
		{302, "<html>", "302 Found: the endpoint answered with a redirect, which a token request never follows: check Endpoint.TokenURL"},
		{200, "<html>", `200 OK: the answer is not a JSON object (6 bytes of "application/json")`},
		{502, "<html>", `502 Bad Gateway: the answer is not a JSON object (6 bytes of "application/json")`},
		{200, "{}", "200 OK: the answer has no access_token"},
		{400, "{}", "400 Bad Request: the answer has no access_token"},
		{200, `{"access_token":"pina_\nx"}`, "200 OK: the answer's access_token has characters that no header can carry"},
		{200, `{"error":"invalid_scope"}`, "200 OK: invalid_scope; the app's operator must act: check app id, secret, environment, scopes and approval"},
	} {
		_, err := testConfig().Exchange(answering(c.status, c.body).context(t.Context()), "code")
		assert.EqualError(t, err, "pinterest: exchange: "+c.want)
	}

	_, err = testConfig().Exchange(answering(200, strings.Repeat("x", 3<<20)).context(t.Context()), "code")
	require.EqualError(t, err, "pinterest: exchange: 200 OK: the answer is longer than 1048576 bytes")
	_, err = testConfig().Exchange(answering(500, strings.Repeat("x", 3<<20)).context(t.Context()), "code")
	assert.Less(t, len(err.Error()), 300)

	_, err = testConfig().Exchange(answering(400, `{"status":"failure","code":1,"message":"Invalid request","data":"pina_x"}`).context(t.Context()), "code")
	require.ErrorAs(t, err, &r)
	assert.JSONEq(t, `{"status":"failure","code":1,"message":"Invalid request"}`, string(r.Body), "what of it is known")
}

// Package wire's tests have every form of it.
func TestAnErrorSaysHowLongPinterestAskedToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := time.Now().Add(2 * time.Hour) // is what Pinterest's clock shows
		for name, c := range map[string]struct {
			header http.Header
			want   time.Duration
		}{
			"seconds":           {http.Header{"Retry-After": {"120"}}, 2 * time.Minute},
			"the limit's reset": {http.Header{"X-Ratelimit-Reset": {"7;w=60"}}, 7 * time.Second},
			"a date, by Pinterest's clock": {http.Header{
				"Retry-After": {slow.Add(90 * time.Second).UTC().Format(http.TimeFormat)}, "Date": {slow.UTC().Format(http.TimeFormat)},
			}, 90 * time.Second},
		} {
			w := &wire{answer: func(*http.Request) (*http.Response, error) {
				r := answer(http.StatusTooManyRequests, `{"code":8,"message":"Slow down."}`)
				maps.Copy(r.Header, c.header)
				return r, nil
			}}
			_, err := testConfig().Exchange(w.context(t.Context()), "code")
			var e *pinterest.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.want, e.RetryAfter, name)
			assert.EqualError(t, err, "pinterest: exchange: 429 Too Many Requests: Slow down. (code 8, retry after "+c.want.String()+")")
		}
	})
}

func TestNoAnswerIsAnErrorThatCanBeTakenApart(t *testing.T) {
	cause := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	_, err := testConfig().Exchange(failing(cause).context(t.Context()), "code")
	require.EqualError(t, err, `pinterest: exchange: Post "https://api.pinterest.com/v5/oauth/token": read tcp: connection reset by peer`)
	var e *pinterest.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Temporary())
	assert.Zero(t, e.StatusCode)
	var n *net.OpError
	require.ErrorAs(t, err, &n)
	assert.Same(t, cause, n)
	require.ErrorIs(t, err, cause)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = testConfig().Exchange(failing(context.Canceled).context(ctx), "code")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorAs(t, err, &e)
	assert.False(t, e.Temporary(), "the caller gave up")
}

// An Error that a program makes for its own tests decides as ours do.
func TestAnErrorDecidesByWhatItSays(t *testing.T) {
	assert.ErrorIs(t, &pinterest.Error{Op: "refresh", StatusCode: 401, Code: 283}, pinterest.ErrReauthorize)
	assert.ErrorIs(t, &pinterest.Error{Op: "exchange", StatusCode: 401, Code: 2}, pinterest.ErrClientRejected)
	assert.NotErrorIs(t, &pinterest.Error{Op: "conversion_token", StatusCode: 401, Code: 2}, pinterest.ErrClientRejected)
	assert.True(t, (&pinterest.Error{Op: "refresh", StatusCode: 503}).Temporary())
	assert.NotPanics(t, func() { _ = new(pinterest.Error).Error() })
}

// Everything a server can echo, it echoes: the request's head, its form, and
// secrets of its own, in the status line, the headers and the body.
func TestNoErrorHoldsASecretWhateverTheServerEchoes(t *testing.T) {
	const code, access, refresh, conversion = "c0de-9f8e7d6c5b4a", "pina_AAAA1111bbbb2222", "pinr.eyJh.CCCC3333.dddd4444", "opaque-token-of-nobody"
	conf := testConfig()
	conf.ClientSecret = "s3cret+with/odd=chars"
	basic := base64.StdEncoding.EncodeToString([]byte(conf.ClientID + ":" + url.QueryEscape(conf.ClientSecret)))
	secrets := []string{
		conf.ClientSecret, url.QueryEscape(conf.ClientSecret), basic, code, access, refresh,
		"AAAA1111bbbb2222", "CCCC3333", "eyJh", conversion, "pina_fresh", "pinr.fresh",
	}
	echo := func(r *http.Request, kind string, form []byte, values url.Values) string {
		head, _ := httputil.DumpRequest(r, false)
		switch kind {
		case "json":
			return fmt.Sprintf(`{"code":1,"message":%q,"error_description":%q,"access_token":"","x":"pina_fresh1"}`, string(form)+" "+values.Get("code")+values.Get("refresh_token")+values.Get("token"), head)
		case "rfc":
			return fmt.Sprintf(`{"error":%q,"error_description":%q,"error_uri":%q}`, values.Get("code")+values.Get("refresh_token"), form, head)
		case "cut":
			return `{"expires_in":25,"refresh_token":"pinr.fresh","access_token":"` + conversion
		case "numbers":
			return `{"access_token":"pina_fresh\u0007","refresh_token":"pinr.fresh"}`
		}
		return "<html>" + string(head) + string(form) + conf.ClientSecret + values.Get("code") + values.Get("refresh_token") + ` access_token=` + conversion + "</html>"
	}
	ops := map[string]func(context.Context) error{
		"exchange": func(ctx context.Context) error { _, err := conf.Exchange(ctx, code); return err },
		"refresh": func(ctx context.Context) error {
			_, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
			return err
		},
		"client_credentials": func(ctx context.Context) error { _, err := conf.ClientCredentials(ctx).Token(); return err },
		"revoke": func(ctx context.Context) error {
			return conf.Revoke(ctx, &oauth2.Token{AccessToken: access, RefreshToken: refresh})
		},
		"conversion_token": func(ctx context.Context) error {
			_, err := conf.ConversionToken(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: access, RefreshToken: refresh}))
			return err
		},
	}
	var kind string
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind == "garbage" {
			c, _, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				form, _ := io.ReadAll(r.Body)
				values, _ := url.ParseQuery(string(form))
				fmt.Fprintf(c, "%s %s %s\r\n\r\n", values.Get("code")+values.Get("refresh_token"), r.Header.Get("Authorization"), access)
				c.Close()
			}
			return
		}
		form, _ := io.ReadAll(r.Body)
		values, _ := url.ParseQuery(string(form))
		body := echo(r, kind, form, values)
		w.Header().Set("X-Pinterest-Rid", r.Header.Get("Authorization")+refresh+values.Get("code"))
		w.Header().Set("Location", "https://example.com/?"+string(form)+"&refresh_token="+refresh)
		w.Header().Set("Content-Type", "application/"+access)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	conf.Endpoint.TokenURL = server.URL + "/v5/oauth/token"
	var log lockedBuffer
	conf.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))

	for op, do := range ops {
		for _, kind = range []string{"json", "rfc", "html", "cut", "numbers", "garbage"} {
			for _, status = range []int{200, 302, 400, 401, 403} {
				if kind == "garbage" && status != 200 {
					continue // has no status
				}
				err := do(t.Context())
				if op == "revoke" && status == 200 && kind != "garbage" {
					continue // says nothing that is read
				}
				require.Error(t, err, "%s %s %d", op, kind, status)
				said := dump(t, err) + log.String()
				for _, secret := range secrets {
					require.NotContains(t, said, secret, "%s %s %d", op, kind, status)
				}
			}
		}
	}
}

// Whoever sends the user back chooses the code, and may choose it so that
// taking it out of an echo leaves the rest of a secret standing.
func TestOneSecretHidesNoOther(t *testing.T) {
	conf := testConfig()
	basic := base64.StdEncoding.EncodeToString([]byte(conf.ClientID + ":" + conf.ClientSecret))
	for _, code := range []string{basic[:8], basic[3:20], basic[len(basic)-8:]} {
		_, err := conf.Exchange(answering(400, `{"code":1,"message":"bad header Basic `+basic+`"}`).context(t.Context()), code)
		require.ErrorContains(t, err, "bad header")
		for i := 0; i+12 <= len(basic); i++ {
			require.NotContains(t, err.Error(), basic[i:i+12])
		}
	}
	_, err := conf.Exchange(failing(errors.New("connection refused")).context(t.Context()), "c")
	require.ErrorContains(t, err, "connection refused", "a code of a letter is no reason to garble every word")
	_, err = conf.Exchange(answering(400, `{"error":"invalid_grant"}`).context(t.Context()), "grant")
	require.ErrorIs(t, err, pinterest.ErrReauthorize, "nor the server's verdict")
}

func TestNoFormOrPieceOfASecretIsShown(t *testing.T) {
	const secret, code, verifier = `a/b=c&d"e\f<g`, "c0de5ecret9876543210abcdefabcdef01234567", "v3rifier-of-the-login-0123456789"
	conf := testConfig()
	conf.ClientSecret = secret
	for name, c := range map[string]struct{ body, leak string }{
		"a code cut short":          {`{"code":283,"message":"code ` + code[:36] + `... is invalid"}`, code[4:30]},
		"the PKCE verifier":         {`{"code":1,"message":"code_verifier ` + verifier + ` is unknown"}`, verifier},
		"base64":                    {`{"message":"` + base64.StdEncoding.EncodeToString([]byte(secret)) + `"}`, base64.StdEncoding.EncodeToString([]byte(secret))},
		"JSON":                      {`{"message":"a/b=c&d"e\f<g"}`, `a/b=c&d`},
		"HTML":                      {`<p>a/b=c&amp;d&#34;e\f&lt;g</p>`, `a/b=c&amp;d`},
		"a new token":               {`{"error":"x","access_token":"pina_AB\/CDEFGHIJ"}`, `CDEFGHIJ`},
		"a new token in an array":   {`{"error":"x","refresh_token":["opaqueCDEFGHIJ"]}`, `opaqueCDEFGHIJ`},
		"a new token of other case": {`{"message":"accessToken: opaqueCDEFGHIJ"}`, `opaqueCDEFGHIJ`},
		"a new token in a URL":      {`{"message":"access_token%3DopaqueCDEFGHIJ"}`, `opaqueCDEFGHIJ`},
	} {
		_, err := conf.Exchange(answering(418, c.body).context(t.Context()), code, oauth2.VerifierOption(verifier))
		assert.NotContains(t, dump(t, err), c.leak, name)
	}

	// What net/http quotes, and the url.Error that programs take out for its Timeout.
	cause := &url.Error{Op: "Post", URL: "https://api.pinterest.com/", Err: fmt.Errorf("malformed answer %q %s", secret, code)}
	_, err := conf.Exchange(failing(cause).context(t.Context()), code)
	var u *url.Error
	require.ErrorAs(t, err, &u)
	for _, said := range []string{err.Error(), u.Error()} {
		assert.Contains(t, said, "malformed answer")
		assert.NotContains(t, said, code)
		assert.NotContains(t, said, `a/b=c&d"e`)
	}
	assert.False(t, u.Timeout())
	var n net.Error
	require.ErrorAs(t, err, &n)
	assert.NotContains(t, n.Error(), code)
	_, err = conf.Exchange(failing(context.DeadlineExceeded).context(t.Context()), code)
	require.ErrorAs(t, err, &u)
	assert.True(t, u.Timeout())
}

func TestAnErrorOfOnRefreshIsToldWithoutTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		conf := testConfig()
		var log lockedBuffer
		conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
		conf.OnRefresh = func(_ context.Context, tok *oauth2.Token) error {
			record, err := pinterest.MarshalToken(tok)
			require.NoError(t, err)
			return fmt.Errorf("invalid input: %s: %w", record, refused)
		}
		src := conf.TokenSource(answering(200, goodAnswer).context(t.Context()), expiredToken())
		_, err := src.Token()
		require.NoError(t, err)
		_, err = src.Refresh(t.Context())
		require.ErrorIs(t, err, refused)
		said := err.Error() + log.String()
		assert.Contains(t, said, "invalid input")
		assert.NotContains(t, said, "pina_new")
		assert.NotContains(t, said, "pinr.new")
	})
}

// dump returns everything a program may print of an error.
func dump(t *testing.T, err error) string {
	t.Helper()
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%v\n%+v\n%#v\n%s\n%q\n", e, e, e, e, e)
	}
	var e *pinterest.Error
	require.ErrorAs(t, err, &e)
	fmt.Fprintf(&b, "%+v\n%#v\n", *e, *e)
	var r *oauth2.RetrieveError
	if errors.As(err, &r) {
		fmt.Fprintf(&b, "%+v\n%s\n%+v\n", *r, r.Body, *r.Response)
		fmt.Fprintf(&b, "%+v\n", *r.Response.Request)
		resp, dumpErr := httputil.DumpResponse(r.Response, true)
		require.NoError(t, dumpErr)
		b.Write(resp)
		req, dumpErr := httputil.DumpRequest(r.Response.Request, true)
		require.NoError(t, dumpErr)
		b.Write(req)
	}
	return b.String()
}

func TestATokenRequestFollowsNoRedirect(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		conf := testConfig()
		conf.Endpoint.TokenURL = server.URL + "/v5/oauth/token"
		_, err := conf.Exchange(t.Context(), "code")
		require.ErrorContains(t, err, "redirect")
		_, err = conf.TokenSource(t.Context(), expiredToken()).Token()
		require.ErrorContains(t, err, "redirect")
		require.ErrorContains(t, conf.Revoke(t.Context(), expiredToken()), "redirect")
		_, err = conf.ConversionToken(t.Context(), oauth2.StaticTokenSource(expiredToken()))
		require.ErrorContains(t, err, "redirect")
		server.Close()
	}
	assert.False(t, followed)
}

func TestAnErrorIsALineOfWords(t *testing.T) {
	retrieve := &oauth2.RetrieveError{ErrorCode: "invalid_grant", ErrorDescription: "gone\r\n for  good"}
	for want, e := range map[string]*pinterest.Error{
		"pinterest: refresh: 400 Bad Request: " + strings.Repeat("wörd ", 33) + "w…":                           {Message: strings.Repeat("wörd ", 60)},
		"pinterest: refresh: 400 Bad Request: " + strings.Repeat("a", 200):                                     {Message: strings.Repeat("a", 200)},
		"pinterest: refresh: 400 Bad Request: said":                                                            {Message: " said\n"},
		"pinterest: refresh: 400 Bad Request: said; the user must authorize the app again":                     {Message: "said", Err: retrieve},
		"pinterest: refresh: 400 Bad Request: gone for good; the user must authorize the app again":            {Err: retrieve},
		"pinterest: refresh: 400 Bad Request: invalid_grant; the user must authorize the app again":            {Err: &oauth2.RetrieveError{ErrorCode: "invalid_grant"}},
		"pinterest: refresh: 400 Bad Request (code 1)":                                                         {Code: 1},
		"pinterest: refresh: 400 Bad Request (request id 12)":                                                  {RequestID: "12"},
		"pinterest: refresh: 400 Bad Request (code 1, request id 12, retry after 1s)":                          {Code: 1, RequestID: "12", RetryAfter: time.Second},
		"pinterest: refresh: 400 Bad Request":                                                                  {},
		"pinterest: refresh: 400 Bad Request (code 283, request id 12); the user must authorize the app again": {Code: 283, RequestID: "12"},
	} {
		e.Op, e.StatusCode = "refresh", http.StatusBadRequest
		assert.EqualError(t, e, want)
	}
}

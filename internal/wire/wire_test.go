package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mock stands where the network is.
type mock func(*http.Request) (*http.Response, error)

func (m mock) RoundTrip(r *http.Request) (*http.Response, error) { return m(r) }

func answering(status int, body string, header ...string) *http.Client {
	return &http.Client{Transport: mock(func(*http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}
}

func post(t *testing.T, client *http.Client, r Request) *Answer {
	t.Helper()
	if r.URL == "" {
		r.URL = "https://api.pinterest.com/v5/oauth/token"
	}
	a, err := Post(t.Context(), client, r)
	require.NoError(t, err)
	return a
}

func TestARequestIsAPostOfTheForm(t *testing.T) {
	var got []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Del("User-Agent")
		r.Header.Del("Accept-Encoding")
		r.Host = "example.com"
		got, _ = httputil.DumpRequest(r, true)
	}))
	defer server.Close()
	post(t, nil, Request{URL: server.URL + "/v5/oauth/token", Form: url.Values{"code": {"a b"}, "grant_type": {"authorization_code"}}, Authorization: Basic("id:", "s+/ t")})
	assert.Equal(t, "POST /v5/oauth/token HTTP/1.1\r\nHost: example.com\r\nAccept: application/json\r\n"+
		"Authorization: Basic aWQlM0E6cyUyQiUyRit0\r\nContent-Length: 39\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"+
		"code=a+b&grant_type=authorization_code", strings.Replace(string(got), "Content-Length: 38", "Content-Length: 39", 1))
	post(t, nil, Request{URL: server.URL + "/v5/oauth/conversion_token"})
	assert.Equal(t, "POST /v5/oauth/conversion_token HTTP/1.1\r\nHost: example.com\r\nAccept: application/json\r\nContent-Length: 0\r\n\r\n", string(got))
}

func TestAnAnswerSaysWhatPinterestSaid(t *testing.T) {
	const body = `{"code":283,"data":"x","error":"invalid_grant","error_description":"gone","error_uri":"https://example.com/why?x=y","message":"The refresh\ntoken is invalid.","status":"failure"}`
	a := post(t, answering(401, body,
		"X-Pinterest-Rid", "12345678901234567890", "Retry-After", "60", "Set-Cookie", "a=b", "Date", "Wed, 25 Nov 2026 10:00:00 GMT",
		"X-Ratelimit-Limit", "100;w=1", "X-Ratelimit-Limit", "1000;w=60", "X-Ratelimit-Remaining", "99", "X-Ratelimit-Reset", "1795555555", "X-Ratelimit-Of", "nobody",
	), Request{Form: url.Values{"code": {"c0de-9f8e7d6c5b4a"}}, Authorization: Basic("1234567", "s3cret-of-the-app")})
	assert.Equal(t, &Answer{
		StatusCode:  401,
		Fields:      fieldsOf(t, body),
		Code:        283,
		Message:     "The refresh\ntoken is invalid.",
		Word:        "invalid_grant",
		Description: "gone",
		URI:         "https://example.com/why?x=[redacted]",
		RequestID:   "12345678901234567890",
		RetryAfter:  time.Minute,
		Body:        []byte(`{"code":283,"error":"invalid_grant","error_description":"gone","error_uri":"https://example.com/why?x=[redacted]","message":"The refresh\ntoken is invalid.","status":"failure"}`),
		Response: &http.Response{
			Status:     "401 Unauthorized",
			StatusCode: 401,
			Header: http.Header{
				"Content-Type": {"application/json"}, "X-Pinterest-Rid": {"12345678901234567890"}, "Retry-After": {"60"}, "Date": {"Wed, 25 Nov 2026 10:00:00 GMT"},
				"X-Ratelimit-Limit": {"100;w=1", "1000;w=60"}, "X-Ratelimit-Remaining": {"99"}, "X-Ratelimit-Reset": {"1795555555"},
			},
			Body: http.NoBody,
			Request: &http.Request{
				Method: "POST",
				URL:    &url.URL{Scheme: "https", Host: "api.pinterest.com", Path: "/v5/oauth/token"},
				Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}},
				Body:   http.NoBody,
			},
		},
	}, a)
}

func TestOddFieldsAreReadForWhatTheyAre(t *testing.T) {
	for body, code := range map[string]int{
		`{"code":283.0}`: 283, `{"code":"283"}`: 283, `{"code":-1}`: -1, `{"code":2147483647}`: math.MaxInt32, `{"code":2147483648}`: 0, `{"code":-2147483648}`: 0,
		`{"code":1e999}`: 0, `{"code":[283]}`: 0, `{"code":null}`: 0, ``: 0,
	} {
		a := post(t, answering(401, body), Request{})
		assert.Equal(t, code, a.Code, body)
		assert.Equal(t, code == 0, a.Body == nil, body)
	}
	a := post(t, answering(400, `{"error":{"not":"a word"},"message":["not a message"]}`), Request{})
	assert.Empty(t, a.Word+a.Message)
	for _, word := range []string{"Service Unavailable", "failure!", "a1", strings.Repeat("x", 50)} {
		assert.Empty(t, post(t, answering(503, string(jsonOf(t, map[string]string{"error": word}))), Request{}).Word)
	}
	for id, want := range map[string]string{
		"550e8400-e29b-41d4-a716-446655440000": "550e8400-e29b-41d4-a716-446655440000",
		"123":                                  "123",
		"123456789012345678901":                "[redacted]",
		"pina_123":                             "[redacted]",
		"not plain 8f7e6d5c4b":                 "not plain [redacted]",
	} {
		assert.Equal(t, want, post(t, answering(200, "", "X-Pinterest-Rid", id), Request{}).RequestID)
	}
	assert.Equal(t, "[redacted]", post(t, answering(200, "", "X-Pinterest-Rid", "1234567"), Request{Secrets: []string{"1234567"}}).RequestID)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/?x=y", status))
		a := post(t, nil, Request{URL: server.URL})
		assert.Equal(t, status, a.StatusCode)
		assert.Equal(t, "the endpoint answered with a redirect, which a token request never follows: check Endpoint.TokenURL", a.Problem)
		assert.NotContains(t, a.Response.Header, "Location")
		server.Close()
	}
	assert.False(t, followed)
}

func TestTheContextAloneBoundsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := mock(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(time.Minute):
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		client := &http.Client{Transport: slow, Timeout: time.Second}
		a := post(t, client, Request{})
		assert.Equal(t, "the answer is empty", a.Problem)
		assert.Equal(t, time.Second, client.Timeout, "the caller's own client is as it was")
		assert.Nil(t, client.CheckRedirect)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Post(ctx, client, Request{URL: "https://api.pinterest.com/v5/oauth/token"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, `Post "https://api.pinterest.com/v5/oauth/token": context deadline exceeded`)
	})
}

func TestATransportLearnsThatARequestCarriesItsOwnAuthorization(t *testing.T) {
	for _, authorization := range []string{"", "Bearer pina_old"} {
		var sending bool
		client := &http.Client{Transport: mock(func(r *http.Request) (*http.Response, error) {
			sending = Sending(r.Context())
			return &http.Response{StatusCode: 200}, nil
		})}
		a := post(t, client, Request{Authorization: authorization})
		assert.Equal(t, authorization != "", sending)
		assert.Equal(t, "the answer is empty", a.Problem, "a body of nil is an empty one")
	}
	assert.False(t, Sending(t.Context()))
}

type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error { *c.closed = true; return nil }

func TestTheBodyIsClosed(t *testing.T) {
	for _, status := range []int{200, 302, 500} {
		closed := false
		post(t, &http.Client{Transport: mock(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: closing{strings.NewReader("{}"), &closed}}, nil
		})}, Request{})
		assert.True(t, closed)
	}
}

func TestAConnectionThatIsCutLosesNoToken(t *testing.T) {
	for name, head := range map[string]string{
		"no last chunk":            fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(tokenAnswer), tokenAnswer),
		"a length two too long":    fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(tokenAnswer)+2, tokenAnswer),
		"cut by its length":        fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(tokenAnswer)-2, tokenAnswer),
		"no length":                "\r\n" + tokenAnswer,
		"gzip without its end":     fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n%s", packed(t, "gzip", []byte(tokenAnswer))[:190]),
		"gzip, named by no header": fmt.Sprintf("\r\n%s", packed(t, "gzip", []byte(tokenAnswer))),
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+head)
				conn.Close()
			}
		}))
		for _, compress := range []bool{true, false} {
			transport := &http.Transport{DisableCompression: !compress}
			a := post(t, &http.Client{Transport: transport}, Request{URL: server.URL})
			assert.Equal(t, "pina_new", a.Fields["access_token"], name)
			assert.Empty(t, a.Problem, name)
			transport.CloseIdleConnections()
		}
		server.Close()
	}
}

func TestNoAnswerIsAnErrorThatCanBeTakenApart(t *testing.T) {
	const code = "c0de-9f8e7d6c5b4a"
	cause := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	failing := &http.Client{Transport: mock(func(r *http.Request) (*http.Response, error) {
		form, _ := io.ReadAll(r.Body)
		return nil, fmt.Errorf("%s %s: %w", form, r.Header.Get("Authorization"), cause)
	})}
	_, err := Post(t.Context(), failing, Request{URL: "https://api.pinterest.com/v5/oauth/token", Form: url.Values{"code": {code}}, Authorization: Basic("1234567", "letters")})
	require.EqualError(t, err, `Post "https://api.pinterest.com/v5/oauth/token": code=[redacted] Basic [redacted] dial tcp: connection refused`)
	require.ErrorIs(t, err, cause)
	_, err = Post(t.Context(), nil, Request{URL: "https://u:" + code + "@ex ample.com/"})
	require.Error(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), code)
}

// Everything a server can echo, it echoes, in the status line, the headers and
// the body.
func TestNoAnswerHoldsASecretWhateverTheServerEchoes(t *testing.T) {
	const code, verifier, bearer, other = "thecodeofalogin", "v3rifier-of-the-login-0123456789", "opaque-token-of-nobody", "0ther-secret-of-the-app"
	const access, refresh = "freshaccesstoken", "freshrefreshtoken"
	for name, r := range map[string]Request{
		"exchange":   {Form: url.Values{"code": {code}, "code_verifier": {verifier}, "redirect_uri": {"http://localhost:8085/"}}, Authorization: Basic("1234567", other)},
		"conversion": {Authorization: "Bearer " + bearer, Secrets: []string{code, verifier, other}},
		"transport":  {Secrets: []string{code, verifier, other, bearer}},
	} {
		r.Secrets = append(r.Secrets, bearer)
		for _, secret := range []string{code, verifier, bearer, other, access, refresh, strings.TrimPrefix(Basic("1234567", other), "Basic ")} {
			if secret == strings.TrimPrefix(Basic("1234567", other), "Basic ") && name != "exchange" {
				continue
			}
			for how, echo := range echoes(secret) {
				for _, text := range []string{echo, inPieces(echo, 7, "\n")} {
					if strings.HasPrefix(how, "Basic") && text != echo {
						continue
					}
					for _, status := range []int{302, 401} { // one that grants has no words
						body := jsonOf(t, map[string]any{"error": text, "error_description": "it says " + text, "error_uri": text, "message": text + " is bad", "status": text, "access_token": access, "refresh_token": refresh})
						header := strings.Map(func(r rune) rune {
							if r < ' ' {
								return ' '
							}
							return r
						}, text)
						a := post(t, answering(status, string(body), "X-Pinterest-Rid", header, "Retry-After", header, "X-Ratelimit-Limit", header, "Www-Authenticate", header), r)
						said := fmt.Sprintf("%q %q %q %q %q %q %s %+v %+v", a.Problem, a.Message, a.Word, a.Description, a.URI, a.RequestID, a.Body, a.Response, a.Response.Request)
						dumped, err := httputil.DumpResponse(a.Response, true)
						require.NoError(t, err)
						asked, err := httputil.DumpRequest(a.Response.Request, true)
						require.NoError(t, err)
						requireHidden(t, echo, said+string(dumped)+string(asked), name+" "+how)
						assert.Contains(t, a.Description, "it says")
					}
				}
			}
		}
	}
}

func TestNoWordsAreMadeOfAnAnswerThatGrants(t *testing.T) {
	const body = `{"access_token":"pina_new","message":"granted"}`
	a := post(t, answering(200, body), Request{})
	require.True(t, a.Grants())
	assert.Equal(t, &Answer{StatusCode: 200, Fields: map[string]any{"access_token": "pina_new", "message": "granted"}}, a)

	for status, body := range map[int]string{401: body, 200: `{"access_token":"pina new","message":"granted"}`} {
		a := post(t, answering(status, body), Request{})
		require.False(t, a.Grants(), body)
		assert.Equal(t, "granted", a.Message)
		assert.NotNil(t, a.Response)
	}
}

func TestTheVerdictIsNotLostToWhoChoosesTheCode(t *testing.T) {
	for code, word := range map[string]string{"grant": "invalid_grant", "d_grants": "", "an_invali": ""} {
		a := post(t, answering(400, `{"error":"invalid_grant"}`), Request{Form: url.Values{"code": {code}}})
		assert.Equal(t, word, a.Word, code)
	}
	assert.Empty(t, post(t, answering(400, `{"error":"server"}`), Request{Form: url.Values{"code": {"xserver"}}}).Word)
}

func TestAllThatIsPublicOfARequestStaysReadable(t *testing.T) {
	r := Request{Form: url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {"http://localhost:8085/"}, "scope": {"boards:read"}, "client_id": {"12345"},
		"continuous_refresh": {"true"}, "refresh_on": {"true"}, "token_type_hint": {"access_token"},
	}, Authorization: Basic("12345", "s3cret-of-the-app")}
	const message = "authorization_code http://localhost:8085/ boards:read 12345: true access_token Basic"
	a := post(t, answering(400, string(jsonOf(t, map[string]string{"message": message}))), r)
	assert.Equal(t, message, a.Message)
}

func TestWhatARequestCarriesOrNamesIsHiddenThoughItReadsLikeWords(t *testing.T) {
	for text, r := range map[string]Request{
		"horse battery staple":   {Authorization: "Bearer horse.battery.staple"},
		"staple battery horse":   {Authorization: Basic("1234567", "staple battery horse")},
		"YTph YTph YTph YTph":    {Authorization: "Basic YTphYTphYTphYTph"},
		"hill valley river":      {Form: url.Values{"code_verifier": {"hill-valley-river"}}},
		"mountain lake":          {Secrets: []string{"none", "mountain-lake"}},
		"fresh access":           {},
		"fresh refresh":          {},
		"ab cd ef gh ij":         {Authorization: Basic("1234567", "ab!cd!ef!gh!ij")},
		"ab%21cd%21ef%21gh%21ij": {Authorization: Basic("1234567", "ab!cd!ef!gh!ij")},
	} {
		a := post(t, answering(500, string(jsonOf(t, map[string]string{"message": "it is " + text + " that", "access_token": "fresh-access", "refresh_token": "fresh-refresh"}))), r)
		assert.Equal(t, "it is [redacted] that", a.Message)
	}
}

func TestTheRequestThatIsShownHoldsNoCredentials(t *testing.T) {
	var sent *http.Request
	jar, _ := cookiejar.New(nil)
	jar.SetCookies(&url.URL{Scheme: "https", Host: "example.com"}, []*http.Cookie{{Name: "session", Value: "hidden"}})
	client := &http.Client{Jar: jar, Transport: mock(func(r *http.Request) (*http.Response, error) {
		sent = r
		r.Header.Set("X-Gateway-Key", "hidden") // as careless transports do
		return &http.Response{StatusCode: 520}, nil
	})}
	a := post(t, client, Request{URL: "https://user:hidden@example.com/token?key=hidden", Form: url.Values{"code": {"hidden"}}, Authorization: "Bearer hidden"})
	assert.Equal(t, "Bearer hidden", sent.Header.Get("Authorization"), "the one that was sent is as it was")
	assert.Equal(t, "520 ", a.Response.Status, "as net/http has a status without a name")
	assert.Equal(t, "https://example.com/token", a.Response.Request.URL.String())
	assert.Equal(t, http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}, a.Response.Request.Header)
	assert.Equal(t, http.NoBody, a.Response.Request.Body)
	assert.NotContains(t, fmt.Sprintf("%+v", a.Response.Request), "hidden")
}

func TestATokenIsPrintableIfAHeaderCanCarryIt(t *testing.T) {
	assert.True(t, Printable("pina_AB-._~+/=!\""))
	for _, s := range []string{"a b", "a\n", "\u0007", "é", "\x7f"} {
		assert.False(t, Printable(s), "%q", s)
	}
}

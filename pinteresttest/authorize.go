package pinteresttest

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

//go:embed authorize.html
var authorizeHTML string

var authorizePage = template.Must(template.New("authorize").Parse(authorizeHTML))

// An approval is what an authorize request asks for.
type approval struct {
	code
	back  *url.URL // its redirectURL
	state string
}

// authorize shows the page on GET. Its form posts to the very same URL, so that approving passes the same
// checks as looking did, and carries a proof that the page was shown for it.
func (h *Handler) authorize(r *request) *answer {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errorPage("The address of this page is malformed.")
	}
	asked, problem := h.checkAuthorize(q)
	if problem != "" {
		return errorPage(problem)
	}
	users := h.users()
	asked.user = users[0]
	if r.Method == http.MethodPost && r.form.Has("user") {
		asked.user = r.form.Get("user")
	}
	r.user = asked.user
	proof := base64.RawURLEncoding.EncodeToString(h.mac([]byte("authorize "+r.URL.RawQuery), accessSealSize))

	switch {
	case r.Method == http.MethodPost && subtle.ConstantTimeCompare([]byte(r.form.Get("proof")), []byte(proof)) != 1:
		return errorPage("This form was not made for you. Please start over.")
	case r.Method == http.MethodPost && !slices.Contains(users, asked.user):
		return errorPage("There is no user of that name.")
	case r.Method == http.MethodPost && r.form.Get("decision") == "deny":
		return asked.callback("error", "access_denied")
	case r.Method == http.MethodPost && r.form.Get("decision") == "approve", r.Method != http.MethodPost && h.AutoApprove:
		return asked.callback("code", h.newCode(asked.code))
	case r.Method == http.MethodPost:
		return errorPage("Please either approve or deny.")
	}
	return htmlPage(http.StatusOK, map[string]any{
		"AppID":  h.appID(),
		"Scopes": asked.scopes.words(),
		"Users":  users,
		"Back":   asked.back.Scheme + "://" + asked.back.Host,
		"Proof":  proof,
	})
}

// checkAuthorize returns what the parameters ask for, or why they are refused.
func (h *Handler) checkAuthorize(q url.Values) (asked approval, problem string) {
	id := q.Get("client_id")
	if id == "" {
		id = q.Get("consumer_id") // what Pinterest's old clients call it
	}
	if id != h.appID() {
		return asked, "There is no app with this client_id."
	}
	back, problem := h.checkRedirectURL(q.Get("redirect_uri"))
	if problem != "" {
		return asked, problem
	}
	if q.Get("response_type") != "code" {
		return asked, "response_type must be code."
	}
	if q.Get("scope") == "" {
		return asked, "scope is missing."
	}
	set, err := parseScopes(q.Get("scope"))
	if err != nil {
		return asked, fmt.Sprintf("The scope is not valid: %v.", err)
	}
	c := code{redirectURL: q.Get("redirect_uri"), scopes: set, continuous: asksContinuous(q)}
	return approval{c, back, q.Get("state")}, ""
}

func (h *Handler) checkRedirectURL(to string) (u *url.URL, problem string) {
	u, err := url.Parse(to)
	switch {
	case to == "":
		return nil, "redirect_uri is missing."
	case h.RedirectURLs != nil && !slices.Contains(h.RedirectURLs, to):
		return nil, "The redirect_uri is not one that the app registered."
	case err != nil, h.RedirectURLs == nil && (u.Scheme == "" || u.Host == "" || u.Fragment != ""):
		return nil, "The redirect_uri is not an absolute URL."
	}
	return u, ""
}

// callback sends the user back to the app.
func (a approval) callback(name, value string) *answer {
	params := url.Values{name: {value}}
	if a.state != "" {
		params.Set("state", a.state)
	}
	u := *a.back
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	return redirect(u.String())
}

// errorPage is all that a request which cannot be trusted gets: it is never redirected.
func errorPage(problem string) *answer {
	a := htmlPage(http.StatusBadRequest, map[string]any{"Problem": problem})
	a.why = problem
	return a
}

func htmlPage(status int, data any) *answer {
	var body bytes.Buffer
	if err := authorizePage.Execute(&body, data); err != nil {
		panic(err)
	}
	return &answer{status: status, body: body.Bytes(), header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"},
		"Cache-Control":           {"no-store"},
		"Referrer-Policy":         {"no-referrer"},
	}}
}

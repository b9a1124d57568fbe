package pinteresttest

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Request is what a [Handler] was asked and what it answered, without what is secret in it.
type Request struct {
	Number int               `json:"number"` // 1 is the first
	Time   time.Time         `json:"time"`   // of the answer
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Params map[string]string `json:"params"` // of the query and the form; the values of those that can be secret are left out
	User   string            `json:"user"`   // whom it was about, if that is known
	Status int               `json:"status"` // zero: there was no answer
	Code   int               `json:"code"`   // Pinterest's, of a refusal
	Why    string            `json:"why"`    // it was refused, in more words than Pinterest has
}

const requestsKept = 1000

// Requests returns the last thousand requests, the oldest first.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// record keeps what was asked and answered. The error is that for which there is no answer.
func (h *Handler) record(r *request, a *answer, err error) {
	seen := Request{Time: time.Now(), Method: r.Method, Path: r.URL.Path, User: r.user}
	switch {
	case errors.Is(err, errLost):
		seen.Why = "a fault: the connection was cut before an answer came"
	case err != nil:
		seen.Why = "the client left"
	default:
		seen.Status, seen.Code, seen.Why = a.status, a.code, a.why
	}
	h.mu.Lock()
	seen.Path, seen.Params, seen.Why = h.hide(seen.Path), h.params(r), h.hide(seen.Why)
	if seen.Status == http.StatusUnauthorized && isAPI(seen.Path) {
		h.counts.Unauthorized++
	}
	h.served++
	seen.Number = h.served
	if len(h.requests) == requestsKept {
		h.requests = h.requests[1:]
	}
	h.requests = append(h.requests, seen)
	log := h.Log
	h.mu.Unlock()
	if log != nil {
		log(seen)
	}
}

// harmless are the parameters whose values anybody may see.
var harmless = []string{
	"grant_type", "response_type", "client_id", "consumer_id", "redirect_uri", "scope", "token_type_hint",
	"continuous_refresh", "refresh_on", "refreshable", "decision", "user",
	"page_size", "bookmark", "privacy", "pin_filter", "pin_type", "pin_metrics", "include_protected_pins", "creative_types", "ad_account_id",
}

// params returns the first value of each parameter, or "…" for what can be secret. The lock is held.
func (h *Handler) params(r *request) map[string]string {
	shown := make(map[string]string)
	for _, values := range []map[string][]string{r.URL.Query(), r.form} {
		for name, v := range values {
			if slices.Contains(harmless, name) {
				shown[name] = h.hide(v[0])
			} else {
				shown[h.hide(name)] = "…"
			}
		}
	}
	return shown
}

// tokenOrCode is what both look like.
var tokenOrCode = regexp.MustCompile(`pin[acr][._][\w.-]+|[A-Z2-7]{52}`)

// hide leaves out of a text the secrets that a mistaken client put where they do not belong. The lock is held.
func (h *Handler) hide(text string) string {
	secret := h.appSecret()
	if text == secret {
		return "…"
	}
	return tokenOrCode.ReplaceAllString(strings.ReplaceAll(text, strconv.Quote(secret), `"…"`), "…")
}

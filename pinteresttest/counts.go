package pinteresttest

import "strings"

// Counts is what a Handler has seen so far. Requests are counted as they arrive, whatever they are answered;
// those that meet a [Fault] are counted, too.
type Counts struct {
	Authorize         int `json:"authorize"`          // requests to the authorize page
	Token             int `json:"token"`              // requests to the token endpoint
	Exchange          int `json:"exchange"`           // of those, with grant_type authorization_code
	Refresh           int `json:"refresh"`            // of those, with grant_type refresh_token
	ClientCredentials int `json:"client_credentials"` // of those, with grant_type client_credentials
	Revoke            int `json:"revoke"`             // requests to revoke a token
	Conversion        int `json:"conversion"`         // requests for a conversion token
	API               int `json:"api"`                // all other requests below /v5/
	Unauthorized      int `json:"unauthorized"`       // of the API and conversion token requests, those that were answered 401
	Replays           int `json:"replays"`            // refresh tokens presented though a refresh had killed them
	FamiliesRevoked   int `json:"families_revoked"`   // families revoked because of that
	Issued            int `json:"issued"`             // access tokens issued, those of Login included
}

// Counts returns what the handler has seen so far.
func (h *Handler) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}

func isAPI(path string) bool {
	return strings.HasPrefix(path, "/v5/") && path != tokenPath && path != revokePath
}

func (h *Handler) count(r *request) {
	switch path := r.URL.Path; {
	case path == authorizePath:
		h.counts.Authorize++
	case path == tokenPath:
		h.counts.Token++
		switch r.form.Get("grant_type") {
		case "authorization_code":
			h.counts.Exchange++
		case "refresh_token":
			h.counts.Refresh++
		case "client_credentials":
			h.counts.ClientCredentials++
		}
	case path == revokePath:
		h.counts.Revoke++
	case path == conversionPath:
		h.counts.Conversion++
	case isAPI(path):
		h.counts.API++
	}
}

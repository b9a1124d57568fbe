package pinterest

import "net/url"

// RefreshOn says which kind of refresh token to ask Pinterest for.
type RefreshOn uint8

const (
	// RefreshOnContinuous asks for refresh tokens that live sixty days and are
	// replaced at every refresh, so that an account in use never has to log in
	// again. Apps created on or after 2025-09-25 get no others.
	RefreshOnContinuous RefreshOn = iota

	// RefreshOnLegacy asks for nothing: an app created before 2025-09-25 then
	// gets refresh tokens that live 365 days and are never replaced. Pinterest
	// withdrew them in 2025.
	RefreshOnLegacy
)

// ask adds the parameters that turn continuous refresh on to a token request.
//
// Pinterest renamed the switch: refresh_on, on the refresh_token grant, in
// versions 5.12 to 5.14 of its description; continuous_refresh, on the
// authorization_code grant, from 5.15. Nobody has shown which of the two a
// refresh still reads, so a refresh says both.
func (r RefreshOn) ask(grant string, v url.Values) {
	if r == RefreshOnLegacy {
		return
	}
	switch grant {
	case grantRefreshToken:
		v.Set("refresh_on", "true")
		v.Set("continuous_refresh", "true")
	case grantAuthorizationCode:
		v.Set("continuous_refresh", "true")
	}
}

// String returns "continuous" or "legacy".
func (r RefreshOn) String() string {
	if r == RefreshOnLegacy {
		return "legacy"
	}
	return "continuous"
}

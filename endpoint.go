package pinterest

import "golang.org/x/oauth2"

// Endpoint is Pinterest's production environment. It sets the authentication
// style that Pinterest documents; with style auto-detection (as in
// golang.org/x/oauth2/endpoints.Pinterest) every refused code or refresh token
// would be posted a second time, with the secret in the body.
//
// The authorize URL is shared by both environments and ends in a slash; the
// token URL does not. Do not change it: set [Config.Endpoint].
var Endpoint = oauth2.Endpoint{
	AuthURL:   "https://www.pinterest.com/oauth/",
	TokenURL:  "https://api.pinterest.com/v5/oauth/token",
	AuthStyle: oauth2.AuthStyleInHeader,
}

// SandboxEndpoint is Pinterest's sandbox. A token belongs to the environment
// that issued it: used in the other, it is answered 401.
var SandboxEndpoint = oauth2.Endpoint{
	AuthURL:   "https://www.pinterest.com/oauth/",
	TokenURL:  "https://api-sandbox.pinterest.com/v5/oauth/token",
	AuthStyle: oauth2.AuthStyleInHeader,
}

// The scopes of Pinterest's OpenAPI description, version 5.23
// (components.securitySchemes.pinterest_oauth2), in its words.
const (
	ScopeAdsRead           = "ads:read"            // see all of your advertising data, including ads, ad groups, campaigns etc.
	ScopeAdsWrite          = "ads:write"           // create, update, or delete ads, ad groups, campaigns etc.
	ScopeBillingRead       = "billing:read"        // see all of your billing data, billing profile, etc.
	ScopeBillingWrite      = "billing:write"       // create, update, or delete billing data, billing profiles, etc.
	ScopeBizAccessRead     = "biz_access:read"     // see business access data
	ScopeBizAccessWrite    = "biz_access:write"    // create, update, or delete business access data
	ScopeBoardsRead        = "boards:read"         // see your public boards, including group boards you join
	ScopeBoardsReadSecret  = "boards:read_secret"  // see your secret boards
	ScopeBoardsWrite       = "boards:write"        // create, update, or delete your public boards
	ScopeBoardsWriteSecret = "boards:write_secret" // create, update, or delete your secret boards
	ScopeCatalogsRead      = "catalogs:read"       // see all of your catalogs data
	ScopeCatalogsWrite     = "catalogs:write"      // create, update, or delete your catalogs data
	ScopeMSOTWrite         = "msot:write"          // create measurement source of truth events
	ScopePinsRead          = "pins:read"           // see your public Pins
	ScopePinsReadSecret    = "pins:read_secret"    // see your secret Pins
	ScopePinsWrite         = "pins:write"          // create, update, or delete your public Pins
	ScopePinsWriteSecret   = "pins:write_secret"   // create, update, or delete your secret Pins
	ScopeUserAccountsRead  = "user_accounts:read"  // see your user accounts and followers
	ScopeUserAccountsWrite = "user_accounts:write" // update your user accounts and followers
)

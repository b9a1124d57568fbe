// Package pinterest makes the tokens of Pinterest's API v5 look after
// themselves, in programs that already speak [golang.org/x/oauth2]. Replace
// [oauth2.Config] by [Config]; from then on tokens renew before they expire,
// renewed tokens are saved before they are used, a fleet of processes renews
// each token once, and a token never travels to a host that is not Pinterest's.
//
// # The two calls you need
//
// [Config.Exchange] turns the code of Pinterest's redirect into a token, and
// [Config.Client] makes an [http.Client] that sends it and renews it:
//
//	token, err := conf.Exchange(ctx, code)
//	…
//	client := conf.Client(ctx, token)
//	resp, err := client.Get("https://api.pinterest.com/v5/user_account")
//
// A client is cheap and safe for many goroutines: make one for each account
// and keep it, as two clients of one account would renew its token twice. Its
// context must live as long as it does.
// [Config.ClientCredentials] is for programs that act for the app's own
// account.
//
// # Storing tokens
//
// Pinterest's refresh tokens live sixty days and are replaced at every refresh:
// a program that keeps only the first one has to ask its user to log in again.
// Keep them in a [Store], by [SaveToken] after a login, and use them by
// [Config.StoredTokenSource]. The stores are modules of their own, beside this
// package, but for the first:
//
//	NewMemoryStore  tests
//	filestore       a command or an app on one machine
//	sqlstore        an app with a database: PostgreSQL, MySQL, MariaDB, SQLite
//	redisstore      who runs Redis as a database, with appendonly yes
//
// [Encrypted] seals what they keep. [Config.KeepAlive] renews the tokens of
// accounts that nobody uses. Package storetest checks a store of your own.
//
// A program that keeps tokens its own way sets [Config.OnRefresh] to a function
// that saves the token, by [MarshalToken], which keeps what json.Marshal loses.
// It is called before anyone is handed the new token, and again if it fails.
//
// # Programs that run for a moment
//
// A program that ends while a renewal runs in the background loses the new
// refresh token. A command or a cron job sets [Config.RefreshAhead] to -1, so
// that a token is renewed only once it has expired, and the call waits until the
// new one is saved.
//
// # Several processes
//
// Processes that share a store renew each token once: one of them takes the
// key's lock, reads again, renews and saves; the others adopt what it saved. A
// process that is killed at any moment leaves the last token that was saved. A
// token that Pinterest replaced but nobody saved, because the process died in
// between, is lost only if Pinterest does not accept the old one any more.
//
// # How tokens are renewed
//
// All grants go through one mechanism, the [TokenSource]. While its token is
// good, it is handed out without a lock. When a tenth of the token's life is
// left, one renewal runs in the background. Only if the token has expired do
// callers wait, all for the same renewal, each no longer than its own context.
// A renewal that fails in a passing way is tried again; after that, failures
// are shared and held back, so that a Pinterest that is down is not hammered.
//
// This holds through [oauth2.NewClient], too. [NewClient] adds what the
// transport of x/oauth2 lacks: it sends the token to Pinterest's hosts only,
// waits no longer than the request's context, and answers a 401 by renewing
// and sending the request once more.
//
// # Errors
//
// Every failure to get a token is an [*Error]. Two of them call for a person:
// [ErrReauthorize], when the user has to log in again, and [ErrClientRejected],
// when the app's operator has to act. Everything else may pass by itself. The
// token endpoint's refusals are also a [*oauth2.RetrieveError], whose ErrorCode
// is RFC 6749's word for Pinterest's number.
//
// # Testing
//
// Package pinteresttest is a fake Pinterest that a program can be tested
// against, also across sixty days of testing/synctest's time.
//
// # Compatibility
//
// Before version 1 the API can change in minor versions; the changelog says
// how. What this package knows of Pinterest is of versions 5.12 to 5.23 of its
// OpenAPI description.
package pinterest

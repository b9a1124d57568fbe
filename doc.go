// Package pinterest makes the tokens of Pinterest's API v5 look after
// themselves, in programs that already speak [golang.org/x/oauth2]. Replace
// [oauth2.Config] by [Config]; from then on tokens renew before they expire,
// renewed tokens are saved before they are used, a fleet of processes renews
// each token once, and a token never travels to a host that is not Pinterest's.
//
// # An app with users
//
// Package login sends a user to Pinterest and has a token when they come back.
// [Accounts] keep it in a [Store], under a key of the app's choice:
//
//	accounts := &pinterest.Accounts{Config: conf, Store: store}
//
//	err := accounts.Save(ctx, "alice", token) // after the login
//	…
//	resp, err := accounts.Client("alice").Get("https://api.pinterest.com/v5/user_account") // ever after
//
// Pinterest's refresh tokens live sixty days and are replaced at every refresh:
// whoever keeps only the first one has to ask the user to log in again. The
// stores are modules of their own, beside this package, but for the first:
//
//	NewMemoryStore  tests
//	filestore       a command or an app on one machine
//	sqlstore        an app with a database: PostgreSQL, MySQL, MariaDB, SQLite
//	redisstore      who runs Redis as a database, with appendonly yes
//
// [Encrypted] seals what they keep. [Accounts.KeepAlive] renews the tokens of
// accounts that nobody uses. Package storetest checks a store of your own.
//
// # One token
//
// A program that keeps its token its own way works with [Config.TokenSource] or
// [Config.Client], and sets [Config.OnRefresh] to a function that saves each new
// token by [MarshalToken], which keeps what json.Marshal loses.
// [Config.ClientCredentials] is for programs that act for the app's own account.
//
// # When a program ends
//
// A program that ends while a token is being renewed or saved loses the new
// refresh token. Call [Accounts.Wait], or [TokenSource.Wait], before it does.
//
// # How tokens are renewed
//
// All grants go through one mechanism, the [TokenSource]. A token is fresh, then
// stale, then expired, by the wall clock:
//
//	fresh    handed out, without a lock
//	stale    handed out, while one renewal runs in the background
//	expired  waited for, by all who ask, each no longer than its own context
//
// It is stale when a tenth of its life is left, or as [Config.RefreshAhead] says;
// and never, if nobody would hear of the refresh token that comes of a renewal:
// then it is renewed once it has expired, and handed to those who wait. A token
// without an expiry is used as it is.
//
// When a renewal fails, nothing is sent for some time, and those whose token has
// expired get the failure at once:
//
//	it can pass             after a second, later each time, up to a minute; never
//	                        sooner than Pinterest asks by Retry-After
//	the operator's to mend  after a minute, up to an hour
//	the user's to mend      after an hour, up to a day
//	renewed, but not saved  only saving is tried, at once, up to once a second
//
// All of that ends when another token is found in the store, or saved.
//
// A renewal has time limits of its own. It sends no request after a minute, and
// waits half a minute for each answer; OnRefresh, and reading the store, have half
// a minute, and must heed it, as they are waited for; the key's lock is waited for
// two minutes. So callers of a source without a store are kept for about two minutes
// at most, and those of one with a store that is locked by others can be for a few
// minutes more, unless their own context ends.
//
// # Several processes
//
// Processes that share a store renew each token once: one of them takes the
// key's lock, reads again, renews and saves; the others adopt what it saved. A
// process that is killed at any moment leaves the last token that was saved. A
// token that Pinterest replaced but nobody saved, because the process died in
// between, is lost only if Pinterest does not accept the old one any more.
//
// # Clients
//
// [oauth2.NewClient] over a source is a first-class way to use it. [NewClient] adds
// what the transport of x/oauth2 lacks: it sends the token to Pinterest's hosts
// only, waits no longer than the request's context, and answers a 401 by renewing
// and sending the request once more.
//
// # Errors
//
// Every failure to get a token is an [*Error]. Two of them call for a person:
// [ErrReauthorize], when the user has to log in again, and [ErrClientRejected],
// when the app's operator has to act. Of everything else [Error.Temporary] says
// whether it can pass by itself. The token endpoint's refusals are also a
// [*oauth2.RetrieveError], whose ErrorCode is RFC 6749's word for Pinterest's number.
//
// What a server, a store or a callback says is shown in errors and log records
// only where it reads like words: what looks opaque is left out, as it could be
// a secret.
//
// # Log
//
// [Config.Logger] is told what happens to tokens. These messages, levels and
// attributes are kept stable:
//
//	pinterest: token renewed      info   it is new, and saved unless the next line says otherwise
//	pinterest: token not saved    error  but used; logged the 1st, 2nd, 4th, 8th … time in a row
//	pinterest: token saved        info   after it was not
//	pinterest: token adopted      info   another process, or a login, has replaced it; debug: when it is first read
//	pinterest: token forgotten    info   another process has logged the account out
//	pinterest: token not renewed  warn   error, if only the operator can mend it
//	pinterest: OnRefresh failed   warn   for a token that the store has
//
// What Save and Forget do in this process is logged, as adopted and forgotten, only
// where it ends that a token was not renewed or not saved. The attributes:
//
//	op              "refresh" or "client_credentials"
//	key             of a token that is kept
//	expiry          when the access token expires: of not renewed, the one in use
//	refresh_expiry  when the refresh token expires, if that is known
//	took            how long it took
//	error           what is wrong
//	mend            who can mend it: "user", "operator" or "time"
//	status, code    of Pinterest's answer, if one came
//	request_id      of Pinterest's answer, to quote to its support
//	retry_in        when it is tried again
//
// # In production
//
// Pools, time limits, readiness, alerts, sweeps, backups, and moving between
// stores and encryption keys are in docs/production.md of the repository.
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

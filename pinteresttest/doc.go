// Package pinteresttest is a fake Pinterest for the tests of a program that speaks Pinterest's OAuth, in the
// manner of [net/http/httptest]. It has the authorize page, the token endpoint with all its grants and
// shapes of answers, and enough of the API to use a token on.
//
// It is as strict as Pinterest's own description of its API: Basic authentication, form-encoded requests, the
// required parameters, a redirect URI that matches exactly, codes that work once. It accepts what Pinterest's
// old sample clients send (consumer_id, refreshable, refresh_on=True), and the app's id and secret in the body if
// they are in the header as well. Where nobody has shown what Pinterest
// does, a field of [Handler] chooses, and the worst case is the one to test with.
//
// # With a server
//
// [NewServer] listens on a loopback port. Point the app at its [Server.Endpoint], and its API calls at
// [Server.URL]:
//
//	s := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
//	defer s.Close()
//	app := NewApp(s.Endpoint(), s.URL, pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret)
//
// Without AutoApprove a browser gets a page with buttons to approve and to deny, which is how the app can be
// tried by hand. A test that does not want the authorize page gets a code by [Handler.Code], or a token by
// [Handler.Login].
//
// # Without a socket, across sixty days
//
// [Handler.Client] answers in the same process, so that time can be that of a [testing/synctest] bubble: a test
// may sleep until a token has expired.
//
//	synctest.Test(t, func(t *testing.T) {
//		h := new(pinteresttest.Handler)
//		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, h.Client())
//		client := config.Client(ctx, h.Login("boards:read"))
//		time.Sleep(45 * 24 * time.Hour)
//		resp, err := client.Get("https://api.pinterest.com/v5/boards") // renews the token first
//		…
//	})
//
// In real time, [Handler.ExpireAccess] and [Handler.RevokeGrants] bring about what sixty days or the user would.
//
// # Being nasty
//
// With StrictRotation every refresh kills the refresh token it was asked with, and using a dead one revokes all
// that came of the same login; a program that loses a token, or refreshes twice at once, then shows itself. For
// single requests, [Handler.Fail] sets up a [Fault] each: an error of Pinterest's, a rate limit, HTML where
// JSON should be, half a body, or no answer at all though the work was done:
//
//	h.Fail("/v5/oauth/token",
//		pinteresttest.Fault{Status: 429, RetryAfter: "7"},
//		pinteresttest.Fault{After: true, Lose: true})
//
// [Handler.Counts] tells what came of it: how many refreshes were asked for, how many of them were replays.
// [Handler.Requests] tells of each request, and why it was refused.
//
// # Users
//
// A user is a name, and the same name is the same account: at the authorize page, which lets one choose among
// [Handler.Users], and by [Handler.LoginAs]. Each begins with the same boards and Pins, and may create and delete
// some. As at Pinterest, their created_at has no time zone.
//
// # From another process
//
// [NewControl] serves a Handler and its remote control: calls by HTTP that do what its methods do, and a page for
// people. It is what "pinterest emulator" serves.
//
// # Tokens
//
// Only the handler that issued a token knows it: to any other it is invalid, as a sandbox token is to
// production. A handler keeps a few words for each login until its tokens have expired, the boards and Pins of users
// who changed theirs, and the last thousand requests; but nothing for each token, so a large fleet may refresh all day.
package pinteresttest

// Package signin has the user log in: it asks for the app, opens Pinterest's
// page, in a browser here or anywhere, waits for the user to come back, and keeps
// the token.
package signin

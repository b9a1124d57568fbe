// Package accounts is where the command keeps its accounts: in a store of the
// user's choice, each account with the app and the one server that it belongs to.
// It hands out tokens that are good, renewed and saved by the library.
package accounts

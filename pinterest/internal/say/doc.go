// Package say is what the command says to its user: lines on standard error,
// failures with a hint of what to do, times in words, and data laid out for
// people or for programs. It knows nothing of accounts, nor of the API.
package say

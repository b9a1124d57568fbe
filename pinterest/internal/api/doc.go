// Package api calls Pinterest's API as "pinterest api" does: it makes a request of
// what the user typed, prints the answer or all pages of a list, and says what a
// refusal means.
package api

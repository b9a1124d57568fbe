// Package keepalive keeps idle accounts connected: it renews what is about to
// lapse of all the apps in a store, once or again and again, and says what came
// of it.
package keepalive

// Package fleet holds tests alone: real processes share one account's token in
// each of the stores, and some of them are killed.
package fleet

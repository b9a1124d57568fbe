// Package fleet holds tests alone: real processes share one account's token in
// each of the stores, while some of them are killed or the store's server is
// restarted, paused or fails over.
package fleet

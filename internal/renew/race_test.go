//go:build race

package renew

// How many events make a sequence. The race detector makes each of them slow.
const everyDay, anyDay = 6, 3

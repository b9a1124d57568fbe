//go:build !race

package renew

// How many events make a sequence.
const everyDay, anyDay = 8, 4

// Package bench holds what is measured of pinterest and its stores together,
// over many accounts and on real databases. It has nothing to import: read its
// tests and run its benchmarks.
//
//	go test ./bench -v                                        # about a thousand accounts
//	PINTEREST_TEST_SWEEP=full go test ./bench -v -timeout 2h  # 100,000
//	go test ./bench -run=NONE -bench=Sweep
//
// SQLite comes with it. PostgreSQL is used if PINTEREST_TEST_POSTGRES names one.
package bench

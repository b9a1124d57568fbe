// Package examples has small programs to read and to take from, each in a directory
// of its own. README.md has a table of them.
package examples

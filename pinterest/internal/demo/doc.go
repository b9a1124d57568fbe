// Package demo shows the whole life of a token against a fake Pinterest, and
// checks each of its claims against what the fake counted.
package demo

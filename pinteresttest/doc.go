// Package pinteresttest is a fake Pinterest to test against, the way net/http/httptest is a fake web.
package pinteresttest

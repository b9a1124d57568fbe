package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

var apiMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

const apiUsageHint = `call it like "pinterest api user_account" or "pinterest api POST boards -f name=Kitchens"`

// methodAndPath reads the arguments of "pinterest api". The method is empty if
// it is not among them.
func methodAndPath(args []string) (method, path string, err error) {
	if n := len(args); n > 0 && n <= 2 && args[n-1] == "" {
		args = args[:n-1] // as a variable of a script may be
	}
	switch len(args) {
	case 0:
		return "", "", say.WrongUsage("pinterest api needs a path", apiUsageHint)
	case 1:
		if slices.Contains(apiMethods, args[0]) {
			return "", "", say.WrongUsage("pinterest api "+args[0]+" needs a path", apiUsageHint)
		}
		return "", args[0], nil
	case 2:
		method = strings.ToUpper(args[0])
		if !slices.Contains(apiMethods, method) {
			return "", "", say.WrongUsage(fmt.Sprintf("%q is no method", args[0]), "it is one of "+strings.Join(apiMethods, ", "))
		}
		return method, args[1], nil
	}
	return "", "", say.WrongUsage(fmt.Sprintf("pinterest api takes a method and a path, and got %q as well", args[2]), apiUsageHint)
}

// apiURL returns the URL that path stands for, which is always one of base's
// host: no other is to be called with the account's token.
func apiURL(base, path string) (*url.URL, error) {
	api, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(path)
	if err == nil && u.Scheme == "" && u.Host == "" {
		path = strings.TrimPrefix(strings.TrimPrefix(path, "/"), "v5/")
		u, err = url.Parse(strings.TrimSuffix(base, "/") + "/" + path)
	}
	switch {
	case err != nil:
		return nil, say.WrongUsage(fmt.Sprintf("%q is no path", path), apiUsageHint)
	case u.Scheme != api.Scheme || !strings.EqualFold(u.Host, api.Host) || u.User != nil:
		return nil, say.WrongUsage(fmt.Sprintf("%q is not on %s://%s, and the token goes nowhere else", path, api.Scheme, api.Host), "give the path alone, like user_account")
	case slices.Contains(strings.Split(u.Path, "/"), ".."):
		return nil, say.WrongUsage(fmt.Sprintf("%q has a .., which could lead out of the API", path), "give the path as the API has it, like boards/5498/pins")
	case strings.Contains(path, "#"):
		return nil, say.WrongUsage(fmt.Sprintf("%q has a #, and what follows it would not be sent", path), "write the # as %23")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, say.WrongUsage(fmt.Sprintf("%q has no query that can be sent", path), "give its parameters by -f key=value")
	}
	u.RawQuery = query.Encode()
	return u, nil
}

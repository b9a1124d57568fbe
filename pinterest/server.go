package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// The environment variables, by the names that Pinterest's own sample clients
// give them.
const (
	envAppID     = "PINTEREST_APP_ID"
	envAppSecret = "PINTEREST_APP_SECRET"
	envAPI       = "PINTEREST_API_URI"
	envOAuth     = "PINTEREST_OAUTH_URI"
)

// A server is a Pinterest: one of the two environments, or another that the
// environment variables point at.
type server oauth2.Endpoint

var (
	production = server(pinterest.Endpoint)
	sandbox    = server(pinterest.SandboxEndpoint)
)

// serverOfEnv returns the server that the environment variables name, and false
// if they name none.
func serverOfEnv() (server, bool, error) {
	api, oauth := os.Getenv(envAPI), os.Getenv(envOAuth)
	if api == "" && oauth == "" {
		return server{}, false, nil
	}
	s := production
	for _, v := range []struct {
		name, value, path string
		to                *string
	}{
		{envAPI, api, tokenPath, &s.TokenURL},
		{envOAuth, oauth, "/oauth/", &s.AuthURL},
	} {
		if v.value == "" {
			continue
		}
		u, err := url.Parse(v.value)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return server{}, false, say.WrongUsage(v.name+" is not the URL of a server", "write it like https://api.pinterest.com, or unset it")
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return server{}, false, say.WrongUsage(fmt.Sprintf("%s is %s, and secrets travel by https only", v.name, v.value), "plain http is for this machine alone, as in http://127.0.0.1:8086")
		}
		*v.to = strings.TrimSuffix(v.value, "/") + v.path
	}
	return s, true, nil
}

// serverAt returns the server whose token endpoint is at that host.
func serverAt(host string) server {
	for _, s := range []server{production, sandbox} {
		if host == hostOf(s.TokenURL) {
			return s
		}
	}
	u := url.URL{Scheme: "https", Host: host}
	if isLoopback(u.Hostname()) {
		u.Scheme = "http"
	}
	return server{AuthURL: u.String() + "/oauth/", TokenURL: u.String() + tokenPath, AuthStyle: production.AuthStyle}
}

const tokenPath = "/v5/oauth/token"

// name is how users know s: by its environment, or else by its URL.
func (s server) name() string {
	switch s.TokenURL {
	case production.TokenURL:
		return "production"
	case sandbox.TokenURL:
		return "sandbox"
	}
	return strings.TrimSuffix(s.TokenURL, tokenPath)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

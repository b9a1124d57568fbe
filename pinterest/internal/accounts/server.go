package accounts

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/internal/wire"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// A Server is a Pinterest: one of the two environments, or another that the
// environment variables point at.
type Server oauth2.Endpoint

// The two environments.
var (
	Production = Server(pinterest.Endpoint)
	Sandbox    = Server(pinterest.SandboxEndpoint)
)

// ServerOfEnv returns the server that the environment variables name, and false
// if they name none.
func ServerOfEnv() (Server, bool, error) {
	api, oauth := os.Getenv(EnvAPI), os.Getenv(EnvOAuth)
	if api == "" && oauth == "" {
		return Server{}, false, nil
	}
	s := Production
	for _, v := range []struct {
		name, value, path string
		to                *string
	}{
		{EnvAPI, api, TokenPath, &s.TokenURL},
		{EnvOAuth, oauth, "/oauth/", &s.AuthURL},
	} {
		if v.value == "" {
			continue
		}
		u, err := url.Parse(strings.TrimSpace(v.value))
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return Server{}, false, say.WrongUsage(v.name+" is not the URL of a server", "write it like https://api.pinterest.com, or unset it")
		}
		if u.Scheme != "https" && (u.Scheme != "http" || !wire.IsLoopback(u.Hostname())) {
			return Server{}, false, say.WrongUsage(fmt.Sprintf("%s is %s, and secrets travel by https only", v.name, v.value), "plain http is for this machine alone, as in http://127.0.0.1:8086")
		}
		u.Host = strings.ToLower(u.Host)
		base := strings.TrimRight(u.String(), "/")
		if v.name == EnvAPI {
			base = strings.TrimRight(strings.TrimSuffix(base, "/v5"), "/") // with which Pinterest's SDK has it
		}
		*v.to = base + v.path
	}
	return s, true, nil
}

// serverAt returns the server whose token endpoint is at that host.
func serverAt(host string) Server {
	for _, s := range []Server{Production, Sandbox} {
		if host == hostOf(s.TokenURL) {
			return s
		}
	}
	u := url.URL{Scheme: "https", Host: host}
	if wire.IsLoopback(u.Hostname()) {
		u.Scheme = "http"
	}
	return Server{AuthURL: u.String() + "/oauth/", TokenURL: u.String() + TokenPath, AuthStyle: Production.AuthStyle}
}

// TokenPath is where a server has its token endpoint.
const TokenPath = "/v5/oauth/token"

// Name is how users know s: by its environment, or else by its URL.
func (s Server) Name() string {
	switch s.TokenURL {
	case Production.TokenURL:
		return "production"
	case Sandbox.TokenURL:
		return "sandbox"
	}
	return strings.TrimSuffix(s.TokenURL, TokenPath)
}

// API returns the base URL of the API, as in https://api.pinterest.com/v5.
func (s Server) API() string { return strings.TrimSuffix(s.TokenURL, "/oauth/token") }

func hostOf(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	return u.Host
}

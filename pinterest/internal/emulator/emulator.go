// Package emulator serves a fake Pinterest, with its remote control, to programs in any language.
package emulator

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-pinterest/pinterest/pinteresttest"
)

// Serve answers by h until the context is done. Requests that are being answered then have five seconds left.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close() // a client that does not finish is no reason not to stop
	}
	return nil
}

// BaseURL returns the URL at which this machine reaches a.
func BaseURL(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Line tells of a request in one line, without secrets.
func Line(r pinteresttest.Request) string {
	line := fmt.Sprintf("%s %q", r.Method, r.Path)
	switch g := r.Params["grant_type"]; g {
	case "authorization_code", "refresh_token", "client_credentials":
		line += " " + g
	}
	if r.Status == 0 {
		line += ": no answer"
	} else {
		line += fmt.Sprintf(": %d", r.Status)
	}
	if r.Code != 0 {
		line += fmt.Sprintf(" (code %d)", r.Code)
	}
	if r.Why != "" {
		line += ": " + r.Why
	}
	return line
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const defaultEmulatorAddr = "127.0.0.1:8086"

func newEmulator() *cobra.Command {
	var (
		addr   string
		public bool
		log    bool
		fake   pinteresttest.Handler
	)
	c := &cobra.Command{
		Use:   "emulator",
		Short: "Serve a fake Pinterest until stopped",
		Long: `Serve a fake Pinterest until stopped: its authorize page, its token endpoint
and a little of its API.

Standard output gets lines for a shell, which point Pinterest's own sample
clients, and others that go by the same variables, at the fake. The two URLs
are what /oauth/ and /v5/... are appended to.`,
		Example: `  pinterest emulator                # then paste what it prints into another shell
  pinterest emulator >env &         # or, in the same shell: once it says that it is there,
  . ./env
  pinterest emulator --access-life 30s --strict-rotation`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, life := range map[string]time.Duration{"access-life": fake.AccessLife, "refresh-life": fake.RefreshLife} {
				if life < time.Second {
					return say.WrongUsage(fmt.Sprintf("--%s is %v, and a token must live a second at least", name, life), "write it like 30s, 10m or 720h")
				}
			}
			l, err := listen(c.Context(), addr, public)
			if err != nil {
				return err
			}
			var h http.Handler = &fake
			if log {
				h = logRequests(h, c.ErrOrStderr())
			}
			return serve(c, l, h)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&addr, "addr", defaultEmulatorAddr, "listen on this address; port 0 picks a free one")
	f.BoolVar(&public, "public", false, "allow an address that other machines can reach")
	f.BoolVar(&fake.AutoApprove, "auto-approve", false, "approve at once, without showing the authorize page")
	f.DurationVar(&fake.AccessLife, "access-life", 30*24*time.Hour, "let access tokens live this long")
	f.DurationVar(&fake.RefreshLife, "refresh-life", 60*24*time.Hour, "let refresh tokens live this long")
	f.BoolVar(&fake.StrictRotation, "strict-rotation", false, "let a refresh kill the refresh token that it used\n(using a dead one revokes all that came of the same login)")
	f.BoolVar(&log, "log", false, "tell of each request on standard error, without secrets")
	return c
}

// listen refuses to open the fake to other machines by accident: its secret is known to all.
func listen(ctx context.Context, addr string, public bool) (net.Listener, error) {
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, say.WrongUsage(fmt.Sprintf("--addr %s is no address to listen on: %v", addr, err), "write it like "+defaultEmulatorAddr)
	}
	if !to.IP.IsLoopback() && !public {
		return nil, say.WrongUsage(fmt.Sprintf("--addr %s can be reached from other machines", addr), "say --public if that is meant")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", to.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, say.WithHint(fmt.Errorf("port %d is taken by another program", to.Port), "stop that program, or let --addr 127.0.0.1:0 pick a free port")
	case err != nil:
		return nil, say.WithHint(err, "name another address by --addr")
	}
	return l, nil
}

// serve answers by the fake until the command's context is done.
func serve(c *cobra.Command, l net.Listener, fake http.Handler) error {
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	base := baseURL(l.Addr())
	for _, v := range [][2]string{
		{"PINTEREST_API_URI", base},
		{"PINTEREST_OAUTH_URI", base},
		{"PINTEREST_APP_ID", pinteresttest.DefaultAppID},
		{"PINTEREST_APP_SECRET", pinteresttest.DefaultAppSecret},
	} {
		fmt.Fprintf(c.OutOrStdout(), "export %s=%s\n", v[0], say.ShellWord(v[1]))
	}
	fmt.Fprintf(c.ErrOrStderr(), "pinterest: a fake Pinterest is at %s; give the lines above to the shell that uses it, and press Ctrl-C here to stop it\n", base)

	select {
	case err := <-served:
		return err
	case <-c.Context().Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 5*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close() // a client that does not finish is no reason not to stop
	}
	return nil
}

// baseURL returns the URL at which this machine reaches a.
func baseURL(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-pinterest/pinterest/pinterest/internal/accounts"
	"github.com/go-pinterest/pinterest/pinterest/internal/emulator"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

const defaultEmulatorAddr = "127.0.0.1:8086"

func newEmulator() *cobra.Command {
	var (
		addr, settings string
		hosts          []string
		public         bool
		asJSON, log    bool
		fake           pinteresttest.Handler
	)
	c := &cobra.Command{
		PersistentPreRun: func(*cobra.Command, []string) {}, // an empty flag stands for the default here
		Use:              "emulator",
		Short:            "Serve a fake Pinterest until stopped",
		Long: `Serve a fake Pinterest until stopped: its authorize page, its token endpoint
and a little of its API: the user's account, boards and Pins.

Standard output gets lines for a shell, which point Pinterest's own sample
clients, and others that go by the same variables, at the fake. The two URLs
are what /oauth/ and /v5/... are appended to.

A page at its root shows what is asked and answered, and has buttons that expire
tokens, revoke grants and let requests fail. Tests in any language do the same by
calls below /_emulator/:

  curl --json '{"user": "pinner1"}' http://127.0.0.1:8086/_emulator/revoke

/_emulator/health answers 200 as soon as the lines are printed. The page
https://github.com/go-pinterest/pinterest/blob/main/docs/testing.md lists the
calls.`,
		Example: `  pinterest emulator                # then paste what it prints into another shell
  pinterest emulator >env &         # or, in the same shell: once it says that it is there,
  . ./env
  pinterest emulator --access-life 30s --strict-rotation
  pinterest emulator --addr :0 --json --auto-approve --user ann`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := readSettings(&fake, settings, c.Flags()); err != nil {
				return err
			}
			fake.AppID = cmp.Or(fake.AppID, pinteresttest.DefaultAppID)
			fake.AppSecret = cmp.Or(fake.AppSecret, pinteresttest.DefaultAppSecret)
			for name, life := range map[string]time.Duration{"access-life": fake.AccessLife, "refresh-life": fake.RefreshLife, "code-life": fake.CodeLife} {
				if life < time.Second {
					return say.WrongUsage(fmt.Sprintf("--%s is %v, and a token or code must live a second at least", name, life), "write it like 30s, 10m or 720h")
				}
			}
			l, err := listen(c.Context(), addr, public)
			if err != nil {
				return err
			}
			if log {
				fake.Log = func(r pinteresttest.Request) { say.Line(c.ErrOrStderr(), "%s", emulator.Line(r)) }
			}
			base := emulator.BaseURL(l.Addr())
			at := [][2]string{{accounts.EnvAPI, base}, {accounts.EnvOAuth, base}, {accounts.EnvAppID, fake.AppID}, {accounts.EnvAppSecret, fake.AppSecret}}
			if err := printEnvironment(c.OutOrStdout(), at, asJSON); err != nil {
				return err
			}
			say.Line(c.ErrOrStderr(), "a fake Pinterest is at %s, also for a browser; give the lines above to the shell that uses it, and press Ctrl-C here to stop it", base)
			return emulator.Serve(c.Context(), l, pinteresttest.NewControl(&fake, hosts...))
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&addr, "addr", defaultEmulatorAddr, "listen on this address; port 0 picks a free one")
	f.BoolVar(&public, "public", false, "allow an address that other machines can reach")
	f.StringSliceVar(&hosts, "host", nil, "let the page and /_emulator/ be called by this name too,\nand not only by localhost and IP addresses")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON instead of lines for a shell")
	f.BoolVar(&log, "log", false, "tell of each request on standard error, without secrets,\nand why it was refused")
	f.StringVar(&settings, "settings", "", "read settings from this file of JSON: the flags below by their names,\nwith _ for -; a flag that is given goes before")
	f.StringVar(&fake.AppID, "app-id", pinteresttest.DefaultAppID, "the app's id")
	f.StringVar(&fake.AppSecret, "app-secret", pinteresttest.DefaultAppSecret, "the app's secret")
	f.StringSliceVar(&fake.RedirectURLs, "redirect-urls", nil, "the redirect URLs that the app registered (default: any)")
	f.StringSliceVar(&fake.Users, "users", nil, "the users to choose among on the authorize page\n(default: pinner1, pinner2, pinner3)")
	f.StringVar(&fake.User, "user", "", "the user who is chosen at first, or approves by itself\n(default: the first)")
	f.BoolVar(&fake.AutoApprove, "auto-approve", false, "approve at once, without showing the authorize page")
	f.DurationVar(&fake.AccessLife, "access-life", 30*24*time.Hour, "let access tokens live this long")
	f.DurationVar(&fake.RefreshLife, "refresh-life", 60*24*time.Hour, "let refresh tokens live this long")
	f.DurationVar(&fake.CodeLife, "code-life", 10*time.Minute, "let a code wait this long to be exchanged")
	f.BoolVar(&fake.StrictRotation, "strict-rotation", false, "let a refresh kill the refresh token that it used\n(using a dead one revokes all that came of the same login)")
	f.BoolVar(&fake.OldAccessDies, "old-access-dies", false, "let a refresh kill the access tokens before the one it issues")
	f.BoolVar(&fake.LegacyApp, "legacy-app", false, "let the app be one from before 2025-09-25, which has to ask for\nrefresh tokens that renew themselves")
	f.BoolVar(&fake.SystemUser, "system-user", false, "let users be system users, whose tokens alone can be revoked")
	f.StringVar(&fake.ResponseType, "response-type", "", "the response_type of a refresh: refresh_token, everlasting_refresh\nor integration_refresh (default refresh_token)")
	f.DurationVar(&fake.Latency, "latency", 0, "let this long pass before each answer")
	f.DurationVar(&fake.Skew, "skew", 0, "let Pinterest's clock be so far ahead of this one")
	return c
}

// readSettings reads a file of settings. The flags that were given go before it, and are checked as well.
func readSettings(fake *pinteresttest.Handler, file string, flags *pflag.FlagSet) error {
	read := func(data []byte, what string) error {
		if err := json.Unmarshal(data, fake); err != nil {
			return say.WrongUsage(fmt.Sprintf("%s: %v", what, err), `"pinterest emulator --help" lists the settings`)
		}
		return nil
	}
	if err := read([]byte("{}"), "these flags do not work"); err != nil || file == "" {
		return err
	}
	var again []func() error
	flags.Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value := list.GetSlice()
			again = append(again, func() error { return list.Replace(value) })
			return
		}
		value := f.Value.String()
		again = append(again, func() error { return f.Value.Set(value) })
	})
	data, err := os.ReadFile(file)
	if err != nil {
		return say.WithHint(err, "name another file by --settings")
	}
	if err := read(data, "--settings "+file); err != nil {
		return err
	}
	for _, set := range again {
		if err := set(); err != nil {
			return err
		}
	}
	return nil
}

// listen refuses to open the fake to other machines by accident: its secret is known to all.
func listen(ctx context.Context, addr string, public bool) (net.Listener, error) {
	if strings.HasPrefix(addr, ":") && !public {
		addr = "127.0.0.1" + addr
	}
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
		return nil, say.WithHint(fmt.Errorf("port %d is taken by another program", to.Port), "stop that program, or let --addr :0 pick a free port")
	case err != nil:
		return nil, say.WithHint(err, "name another address by --addr")
	}
	return l, nil
}

// printEnvironment prints the variables as lines for a shell, or as one line of JSON.
func printEnvironment(w io.Writer, variables [][2]string, asJSON bool) error {
	if asJSON {
		object := make(map[string]string)
		for _, v := range variables {
			object[v[0]] = v[1]
		}
		return json.NewEncoder(w).Encode(object)
	}
	for _, v := range variables {
		if _, err := fmt.Fprintf(w, "export %s=%s\n", v[0], say.ShellWord(v[1])); err != nil {
			return err
		}
	}
	return nil
}

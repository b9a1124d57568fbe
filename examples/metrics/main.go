// Metrics keeps the accounts of a store alive, and lets Prometheus see how that
// goes: a slog.Handler turns the library's log records into metrics, and
// alerts.yml says when somebody should be woken.
//
//	go run ./examples/metrics -fake
//
// has some go well and some go wrong at a fake Pinterest, and prints what
// Prometheus would read. Without -fake it serves /metrics, and renews what is kept
// by "pinterest login --store file:tokens" when it has two weeks left to live.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("metrics", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "use a fake Pinterest, print the metrics and end")
	listen := flags.String("listen", "localhost:9464", "serve /metrics on this address")
	dir := flags.String("store", "tokens", "where \"pinterest login --store file:DIR\" keeps tokens")
	every := flags.Duration("every", 24*time.Hour, "how often to look for tokens to renew")
	if err := flags.Parse(args); err != nil {
		return err
	}

	reg := prometheus.NewRegistry()
	logger := slog.New(NewHandler(slog.NewJSONHandler(os.Stderr, nil), reg))
	swept := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pinterest_keepalive_last_success_timestamp_seconds",
		Help: "When the last sweep over all accounts came to its end.",
	})
	reg.MustRegister(swept)

	to := settings.Open(*fake, logger)
	defer to.Close()
	if *fake {
		accounts, mend, err := goWrong(ctx, to)
		if err != nil {
			return err
		}
		if err := errors.Join(sweep(ctx, accounts, swept), write(out, reg)); err != nil {
			return err
		}
		mend()
		return wait(accounts)
	}
	accounts, err := to.Accounts(ctx, *dir, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, wait(accounts)) }()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	logger.Info("listening", "address", listener.Addr().String())
	server := &http.Server{
		Handler:           promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	for again := time.NewTicker(*every); ; {
		if err := sweep(ctx, accounts, swept); err != nil && ctx.Err() == nil {
			logger.Warn("the sweep ended early", "error", err)
		}
		select {
		case <-again.C:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep renews what would lapse. What fails is in the log, and thereby in the
// metrics.
func sweep(ctx context.Context, accounts *pinterest.Accounts, swept prometheus.Gauge) error {
	for key, err := range accounts.KeepAlive(ctx, nil) {
		if key == "" {
			return err
		}
	}
	swept.SetToCurrentTime()
	return nil
}

// wait is for the end of the process: a token that is being renewed then is lost.
func wait(accounts *pinterest.Accounts) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return accounts.Wait(ctx)
}

// write writes the metrics as Prometheus reads them.
func write(out io.Writer, reg prometheus.Gatherer) error {
	families, err := reg.Gather()
	if err != nil {
		return err
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(out, f); err != nil {
			return err
		}
	}
	return nil
}

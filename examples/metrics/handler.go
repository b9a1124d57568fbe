package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Handler is a slog.Handler that counts what the library logs, and passes all
// records on. The messages and attributes that it goes by are a stable part of
// package pinterest's documentation.
//
// No metric has the key of an account for a label: there are too many of them,
// and a key may say who somebody is. The log has it.
type Handler struct {
	next slog.Handler
	*metrics
}

type metrics struct {
	renewed, failed *prometheus.CounterVec
	took            prometheus.Histogram
	adopted, gone   prometheus.Counter

	mu      sync.Mutex      // guards unsaved
	unsaved map[string]bool // the keys whose newest token is not in the store
}

// NewHandler returns a Handler in front of next, whose metrics are in reg.
func NewHandler(next slog.Handler, reg prometheus.Registerer) *Handler {
	m := &metrics{
		renewed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pinterest_token_renewals_total",
			Help: "Tokens that were renewed.",
		}, []string{"op"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pinterest_token_failures_total",
			Help: "Renewals that failed, by who can mend it: user, operator or time.",
		}, []string{"mend"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "pinterest_token_renewal_seconds",
			Help:    "How long renewals took that succeeded.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}),
		adopted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pinterest_tokens_adopted_total",
			Help: "Tokens that another process had renewed, or a login replaced.",
		}),
		gone: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pinterest_tokens_forgotten_total",
			Help: "Accounts that were logged out, by another process or while something was wrong with them.",
		}),
		unsaved: make(map[string]bool),
	}
	for _, mend := range []string{"user", "operator", "time"} {
		m.failed.WithLabelValues(mend) // zero, so that the first failure is an increase
	}
	reg.MustRegister(m.renewed, m.failed, m.took, m.adopted, m.gone, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pinterest_tokens_unsaved",
		Help: "Accounts whose newest token is in this process's memory alone.",
	}, func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return float64(len(m.unsaved))
	}))
	return &Handler{next, m}
}

// Enabled reports true from info on, as that is what is counted, whatever is
// written.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	h.count(r)
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.metrics}
}

func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.metrics}
}

func (m *metrics) count(r slog.Record) {
	var op, key, mend string
	var took time.Duration
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "op":
			op = a.Value.String()
		case "key":
			key = a.Value.String()
		case "mend":
			mend = a.Value.String()
		case "took":
			took = a.Value.Duration()
		}
		return true
	})
	switch r.Message {
	case "pinterest: token renewed":
		m.renewed.WithLabelValues(op).Inc()
		m.took.Observe(took.Seconds())
		m.setUnsaved(key, false) // a record that says otherwise comes next
	case "pinterest: token not renewed":
		m.failed.WithLabelValues(mend).Inc()
	case "pinterest: token not saved":
		m.setUnsaved(key, true)
	case "pinterest: token saved":
		m.setUnsaved(key, false)
	case "pinterest: token adopted":
		if r.Level >= slog.LevelInfo { // debug: it was only read
			m.adopted.Inc()
		}
		m.setUnsaved(key, false)
	case "pinterest: token forgotten":
		m.gone.Inc()
		m.setUnsaved(key, false)
	}
}

func (m *metrics) setUnsaved(key string, unsaved bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if unsaved {
		m.unsaved[key] = true
	} else {
		delete(m.unsaved, key)
	}
}

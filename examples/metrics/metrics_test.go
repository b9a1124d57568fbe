package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

// exposed is what -fake prints: each series with its value.
func exposed(t *testing.T) map[string]float64 {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-fake"}, &out))
	return series(t, &out)
}

func series(t *testing.T, text io.Reader) map[string]float64 {
	t.Helper()
	reader := expfmt.NewTextParser(model.UTF8Validation)
	families, err := reader.TextToMetricFamilies(text)
	require.NoError(t, err)
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, valuesOf(families)...)
	require.NoError(t, err)
	found := make(map[string]float64)
	for _, s := range samples {
		found[s.Metric.String()] = float64(s.Value)
	}
	return found
}

func valuesOf[K comparable, V any](m map[K]V) (values []V) {
	for v := range maps.Values(m) {
		values = append(values, v)
	}
	return values
}

func TestWhatHappensToTokensIsCounted(t *testing.T) {
	found := exposed(t)
	for name, want := range map[string]float64{
		`pinterest_token_renewals_total{op="refresh"}`:    2,
		`pinterest_token_failures_total{mend="time"}`:     1,
		`pinterest_token_failures_total{mend="user"}`:     1,
		`pinterest_token_failures_total{mend="operator"}`: 1,
		`pinterest_token_renewal_seconds_count`:           2,
		`pinterest_tokens_unsaved`:                        1,
	} {
		assert.Equal(t, want, found[name], name)
	}
	assert.Positive(t, found["pinterest_keepalive_last_success_timestamp_seconds"])
}

func TestATokenThatIsSavedAfterAllIsNotUnsavedAnyMore(t *testing.T) {
	reg := prometheus.NewRegistry()
	to := settings.Open(true, slog.New(NewHandler(slog.DiscardHandler, reg)))
	defer to.Close()
	accounts, mend, err := goWrong(t.Context(), to)
	require.NoError(t, err)
	assertUnsaved(t, reg, 1)
	mend()
	require.NoError(t, accounts.Wait(t.Context()))
	assertUnsaved(t, reg, 0)
}

func TestAnAccountThatTheAppForgetsIsNotUnsavedAnyMore(t *testing.T) {
	reg := prometheus.NewRegistry()
	to := settings.Open(true, slog.New(NewHandler(slog.DiscardHandler, reg)))
	defer to.Close()
	accounts, mend, err := goWrong(t.Context(), to)
	require.NoError(t, err)
	defer mend()
	require.NoError(t, accounts.Forget(t.Context(), "erin"))
	assertUnsaved(t, reg, 0)
}

func assertUnsaved(t *testing.T, reg prometheus.Gatherer, n int) {
	t.Helper()
	assert.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`
		# HELP pinterest_tokens_unsaved Accounts whose newest token is in this process's memory alone.
		# TYPE pinterest_tokens_unsaved gauge
		pinterest_tokens_unsaved %d
	`, n)), "pinterest_tokens_unsaved"))
}

// Every metric, and every label and its value, that a rule names is exposed.
func TestTheAlertRulesSpeakOfMetricsThatAreThere(t *testing.T) {
	found := exposed(t)
	promql := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile("alerts.yml", false, model.UTF8Validation, promql, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	require.Len(t, groups.Groups, 1)
	for _, rule := range groups.Groups[0].Rules {
		expr, err := promql.ParseExpr(rule.Expr)
		require.NoError(t, err, rule.Alert)
		selectors := parser.ExtractSelectors(expr)
		require.NotEmpty(t, selectors, rule.Alert)
		for _, matchers := range selectors {
			matched := false
			for name := range found {
				m, err := promql.ParseMetric(name)
				require.NoError(t, err)
				all := true
				for _, matcher := range matchers {
					all = all && matcher.Matches(m.Get(matcher.Name))
				}
				matched = matched || all
			}
			assert.True(t, matched, "%s: nothing is like %v", rule.Alert, matchers)
		}
	}
}

func TestRecordsPassThroughAsTheyAre(t *testing.T) {
	var log bytes.Buffer
	err := slogtest.TestHandler(NewHandler(slog.NewJSONHandler(&log, nil), prometheus.NewRegistry()), func() (records []map[string]any) {
		for decoder := json.NewDecoder(&log); decoder.More(); {
			var r map[string]any
			require.NoError(t, decoder.Decode(&r))
			records = append(records, r)
		}
		return records
	})
	assert.NoError(t, err)
}

func TestWhatIsNotWrittenIsCountedAllTheSame(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	quiet := slog.New(NewHandler(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}), reg)).WithGroup("tokens").With("a", 1)
	quiet.LogAttrs(context.Background(), slog.LevelInfo, "pinterest: token adopted", slog.String("key", "alice"))
	assert.Empty(t, log.String())
	count, err := testutil.GatherAndCount(reg, "pinterest_tokens_adopted_total")
	require.NoError(t, err)
	assert.Equal(t, 1, count)
}

func TestOneCommandPrintsWhatPrometheusReadsAndNoSecret(t *testing.T) {
	p := process.Start(t, nil, "-fake")
	p.Ends()
	assert.Contains(t, p.Output(), "pinterest_tokens_unsaved 1\n")
	assert.Contains(t, p.Output(), `"msg":"pinterest: token not saved"`)
	process.NoSecrets(t, p.Output(), pinteresttest.DefaultAppSecret)
}

func TestItServesWhatPrometheusReads(t *testing.T) {
	fake := pinteresttest.NewServer(nil)
	defer fake.Close()
	p := process.Start(t, []string{"PINTEREST_API_URI=" + fake.URL, "PINTEREST_APP_ID=" + pinteresttest.DefaultAppID,
		"PINTEREST_APP_SECRET=" + pinteresttest.DefaultAppSecret}, "-listen", "127.0.0.1:0")
	resp, err := http.Get("http://" + p.Says(`"msg":"listening","address":"([^"]*)"`) + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Contains(t, series(t, resp.Body), "pinterest_tokens_unsaved")
	p.Stop()
}

package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/redisstore"
)

// mustNotRun is an f for an Update that has to fail before.
func mustNotRun(t *testing.T) func(context.Context, []byte) ([]byte, time.Time, error) {
	return func(context.Context, []byte) ([]byte, time.Time, error) {
		assert.Fail(t, "f runs")
		return nil, time.Time{}, nil
	}
}

func TestARedisThatThrowsTokensAwayIsRefused(t *testing.T) {
	r := startServer(t, "--maxmemory", "100mb")
	client := newClient(t, &redis.Options{Addr: r.addr})
	s := &redisstore.Store{Client: client}
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		require.EqualError(t, s.Update(patient(t), "key", mustNotRun(t)), `redisstore: cannot update "key": maxmemory-policy is `+policy+
			", by which Redis throws tokens away when its memory is full: set it to noeviction, or use a Redis of its own")
	}
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	keep(t, &redisstore.Store{Client: client}, "key", "its memory is never full")

	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "100mb").Err())
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	keep(t, s, "key", "it was mended")
}

func TestARedisThatTakesNoWritesFailsBeforeFRuns(t *testing.T) {
	primary := startServer(t, "--repl-diskless-sync-delay", "0")
	client := newClient(t, &redis.Options{Addr: primary.addr, MaxRetries: -1})
	s := &redisstore.Store{Client: client}
	keep(t, s, "key", "value")
	set := func(name, value string) {
		t.Helper()
		require.NoError(t, client.ConfigSet(t.Context(), name, value).Err())
	}

	t.Run("full", func(t *testing.T) {
		set("maxmemory", "1")
		err := s.Update(patient(t), "key", mustNotRun(t))
		require.ErrorContains(t, err, `redisstore: cannot update "key": OOM command not allowed when used memory > 'maxmemory'`)
		require.Equal(t, "value", kept(t, s, "key"))
		require.NoError(t, s.Delete(patient(t), "key"), "what makes room")
		set("maxmemory", "0")
	})
	t.Run("full only once f runs: what f returns is kept", func(t *testing.T) {
		require.NoError(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
			set("maxmemory", "1")
			return []byte(strings.Repeat("x", 10_000)), time.Now(), nil
		}))
		require.Len(t, kept(t, s, "key"), 10_000)
		require.Equal(t, []string{"key"}, due(t, s, time.Now().Add(time.Second)))
		set("maxmemory", "0")
	})
	t.Run("without as many replicas as it was told to have", func(t *testing.T) {
		set("min-replicas-to-write", "1")
		require.ErrorContains(t, s.Update(patient(t), "key", mustNotRun(t)), `redisstore: cannot update "key": NOREPLICAS`)
		set("min-replicas-to-write", "0")
	})
	t.Run("a replica", func(t *testing.T) {
		replica := startServer(t, "--replicaof", strings.Replace(primary.addr, ":", " ", 1))
		s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: replica.addr, MaxRetries: -1})}
		require.Eventually(t, func() bool {
			_, err := s.Load(t.Context(), "key")
			return err == nil
		}, 30*time.Second, 10*time.Millisecond, "replication")
		require.ErrorContains(t, s.Update(patient(t), "key", mustNotRun(t)), `redisstore: cannot update "key": READONLY`)
	})
}

// documentedCommands returns the commands that the package's comment asks for.
func documentedCommands(t *testing.T) []string {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	list := regexp.MustCompile(`(?s)//\t(\+eval .*?)\n//\n`).FindSubmatch(doc)
	require.NotNil(t, list, "the list of commands in doc.go")
	return strings.Fields(strings.ReplaceAll(string(list[1]), "//", ""))
}

func TestTLSAndAUserWhoMayOnlyDoWhatIsDocumented(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	roots := certificate(t, dir)
	user := append([]string{"--user", "app", "on", ">secret", "resetchannels", "~pinterest:*", "-@all"}, documentedCommands(t)...)
	r := startServer(t, append(user, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "cert"), "--tls-key-file", filepath.Join(dir, "key"))...)
	options, err := redis.ParseURL("rediss://app:secret@127.0.0.1:" + port)
	require.NoError(t, err)
	options.TLSConfig.RootCAs = roots
	const lease = 300 * time.Millisecond
	s, other := &redisstore.Store{Client: newClient(t, options), Lease: lease}, &redisstore.Store{Client: newClient(t, options), Lease: lease}

	keep(t, s, "key", "first")
	require.NoError(t, s.Update(patient(t), "key", func(ctx context.Context, old []byte) ([]byte, time.Time, error) {
		require.Empty(t, due(t, s, time.Now()))
		wait, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer stop()
		require.ErrorIs(t, other.Update(wait, "key", mustNotRun(t)), context.DeadlineExceeded, "the lease is extended")
		return append(old, " and second"...), time.UnixMilli(1), ctx.Err()
	}))
	require.Equal(t, "first and second", kept(t, s, "key"))
	require.Equal(t, []string{"key"}, due(t, s, time.Now()))
	require.Equal(t, []string{"key"}, due(t, s, time.Time{}))
	require.ErrorIs(t, s.Update(patient(t), "key", func(context.Context, []byte) ([]byte, time.Time, error) {
		return nil, time.Time{}, errRefused
	}), errRefused)
	require.NoError(t, s.Delete(patient(t), "key"))
	requireMissing(t, s, "key")

	log, err := newClient(t, &redis.Options{Addr: r.addr}).ACLLog(t.Context(), 10).Result()
	require.NoError(t, err)
	for _, refused := range log {
		require.Equal(t, "info", refused.Object, "what Redis refused")
	}
}

// certificate makes one for 127.0.0.1, and writes it and its key into dir.
func certificate(t *testing.T, dir string) *x509.CertPool {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: secret}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return roots
}

// fipsServer is how the test tells the process it starts where Redis is.
const fipsServer = "PINTEREST_REDISSTORE_FIPS"

func TestAProgramThatKeepsToFIPS140(t *testing.T) {
	if addr, ok := os.LookupEnv(fipsServer); ok {
		s := &redisstore.Store{Client: newClient(t, &redis.Options{Addr: addr})}
		keep(t, s, "key", "value")
		require.Equal(t, []string{"key"}, due(t, s, time.Time{}))
		require.NoError(t, s.Delete(patient(t), "key"))
		fmt.Println("kept, and deleted")
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	p := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.count=1")
	p.Env = append(os.Environ(), "GODEBUG=fips140=only", fipsServer+"="+startServer(t).addr)
	out, err := p.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "kept, and deleted")
}

package main

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/examples/grpc/boards"
	"github.com/go-pinterest/pinterest/examples/internal/process"
	"github.com/go-pinterest/pinterest/examples/internal/settings"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

func TestMain(m *testing.M) { process.TestMain(m, main) }

func TestOneCommandCountsTheBoardsOfAFake(t *testing.T) {
	p := process.Start(t, nil, "-fake")
	p.Ends()
	assert.Contains(t, p.Output(), "30 boards with 59 pins\n")
	assert.Contains(t, p.Output(), `msg="pinterest: token renewed"`)
	process.NoSecrets(t, p.Output(), pinteresttest.DefaultAppSecret)
}

func start(t *testing.T) (boards.BoardsClient, *pinterest.TokenSource, *pinteresttest.Server) {
	t.Helper()
	to := settings.Open(true, slog.New(slog.DiscardHandler))
	t.Cleanup(to.Close)
	server, tls, address, err := serveNear(to.API)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	accounts, err := to.Accounts(t.Context(), "", "alice")
	require.NoError(t, err)
	src := accounts.Source("alice")
	conn, err := dial(address, tls, src)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return boards.NewBoardsClient(conn), src, to.Fake
}

func TestACallWhoseTokenIsRefusedIsMadeOnceMore(t *testing.T) {
	client, _, fake := start(t)
	for range 3 {
		fake.ExpireAccess()
		_, err := client.Count(t.Context(), new(boards.CountRequest))
		require.NoError(t, err)
	}
	counts := fake.Counts()
	assert.Equal(t, 3, counts.Refresh)
	assert.Equal(t, 3, counts.Unauthorized)
}

func TestAUserWhoHasDisconnectedTheAppIsToldFromATrouble(t *testing.T) {
	client, _, fake := start(t)
	fake.Fail("/v5/boards", pinteresttest.Fault{Status: http.StatusServiceUnavailable})
	_, err := client.Count(t.Context(), new(boards.CountRequest))
	assert.Equal(t, codes.Unavailable, status.Code(err))
	fake.RevokeGrants()
	_, err = client.Count(t.Context(), new(boards.CountRequest))
	assert.ErrorIs(t, err, pinterest.ErrReauthorize)
	process.NoSecrets(t, err.Error())
}

func TestNoCallCarriesATokenWithoutTLS(t *testing.T) {
	_, src, _ := start(t)
	_, err := dial("127.0.0.1:1", insecure.NewCredentials(), src)
	assert.ErrorContains(t, err, "transport level security")
}

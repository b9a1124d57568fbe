package main

import (
	"context"
	"encoding/json"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-pinterest/pinterest/examples/grpc/boards"
)

// A service acts with the tokens that its callers send, and keeps none.
type service struct {
	boards.UnimplementedBoardsServer
	api string
}

func newServer(api string, tls credentials.TransportCredentials) *grpc.Server {
	server := grpc.NewServer(grpc.Creds(tls))
	boards.RegisterBoardsServer(server, &service{api: api})
	return server
}

// Count counts what is on the boards of the caller's account.
func (s *service) Count(ctx context.Context, _ *boards.CountRequest) (*boards.CountResponse, error) {
	bearer := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(bearer) != 1 {
		return nil, status.Error(codes.Unauthenticated, "the call carries no token")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/v5/boards?page_size=250", nil)
	if err != nil {
		return nil, status.Error(codes.Internal, "no request can be made")
	}
	req.Header.Set("Authorization", bearer[0])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "Pinterest cannot be reached")
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized: // the caller's part: only they can renew it
		return nil, status.Error(codes.Unauthenticated, "Pinterest refuses the token")
	case resp.StatusCode != http.StatusOK:
		return nil, status.Error(codes.Unavailable, "Pinterest: "+resp.Status)
	}
	var page struct {
		Items []struct {
			Pins int32 `json:"pin_count"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		return nil, status.Error(codes.Unavailable, "Pinterest's answer cannot be read")
	}
	count := &boards.CountResponse{Boards: int32(len(page.Items))}
	for _, b := range page.Items {
		count.Pins += b.Pins
	}
	return count, nil
}

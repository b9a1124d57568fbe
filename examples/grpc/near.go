package main

import (
	"crypto/x509"
	"net"
	"net/http/httptest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// serveNear is what -fake does for a service: it has one on loopback, with the
// certificate that net/http/httptest brings along.
func serveNear(api string) (server *grpc.Server, tls credentials.TransportCredentials, address string, err error) {
	has := httptest.NewTLSServer(nil)
	defer has.Close()
	pool := x509.NewCertPool()
	pool.AddCert(has.Certificate())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, "", err
	}
	server = newServer(api, credentials.NewServerTLSFromCert(&has.TLS.Certificates[0]))
	go func() { _ = server.Serve(listener) }() // until it is stopped
	return server, credentials.NewClientTLSFromCert(pool, ""), listener.Addr().String(), nil
}

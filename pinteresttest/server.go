package pinteresttest

import (
	"net"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// A Server is a [Handler] that listens on a loopback port. Any client reaches it by its URL; the one that
// [Handler.Client] returns does without the port.
type Server struct {
	*Handler
	URL string // of the form "http://127.0.0.1:12345", without a slash at the end

	server http.Server
	done   chan struct{}
}

// NewServer starts a server around h; nil means a new zero Handler. It panics if there is no loopback port to
// be had. The caller closes it.
func NewServer(h *Handler) *Server {
	if h == nil {
		h = new(Handler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		if l, err = net.Listen("tcp6", "[::1]:0"); err != nil {
			panic("pinteresttest: no loopback port: " + err.Error())
		}
	}
	s := &Server{Handler: h, URL: "http://" + l.Addr().String(), done: make(chan struct{})}
	s.server.Handler = h
	s.server.ReadHeaderTimeout = 10 * time.Second
	go func() {
		defer close(s.done)
		s.server.Serve(l)
	}()
	return s
}

// Close stops listening and cuts the connections that are open. The Handler keeps its state and may be served
// again.
func (s *Server) Close() {
	s.server.Close()
	<-s.done
}

// Endpoint returns where the server's authorize page and token endpoint are.
func (s *Server) Endpoint() oauth2.Endpoint {
	return oauth2.Endpoint{
		AuthURL:   s.URL + authorizePath,
		TokenURL:  s.URL + tokenPath,
		AuthStyle: oauth2.AuthStyleInHeader,
	}
}

package sqlstore_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/go-pinterest/pinterest/sqlstore"
)

// A proxy stands before a database's server, and can be told to cut it off.
type proxy struct {
	server string
	mu     sync.Mutex // guards state and conns
	state  int32
	conns  map[net.Conn]bool
}

const (
	open int32 = iota
	cut        // no connection stands or is made
	deaf       // the server is told everything and its answers are thrown away
)

func (p *proxy) set(state int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state = state; state != deaf {
		for c := range p.conns {
			c.Close()
			delete(p.conns, c)
		}
	}
}

func (p *proxy) is(state int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == state
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	if p.state == cut {
		p.mu.Unlock()
		return
	}
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	for answer := make([]byte, 32<<10); ; {
		n, err := server.Read(answer)
		if err == nil && !p.is(deaf) {
			_, err = client.Write(answer[:n])
		}
		if err != nil {
			return
		}
	}
}

// behindProxy has d's stores reach the server through a proxy.
func (d *database) behindProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{conns: make(map[net.Conn]bool)}
	if d.dialect == sqlstore.MySQL {
		conf, err := mysql.ParseDSN(d.dsn)
		require.NoError(t, err)
		p.server, conf.Addr = conf.Addr, l.Addr().String()
		d.dsn = conf.FormatDSN()
	} else {
		u, err := url.Parse(d.dsn)
		require.NoError(t, err)
		p.server, u.Host = u.Host, l.Addr().String()
		d.dsn = u.String()
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.set(cut)
		serving.Wait()
	})
	return p
}

package wire

import "net/netip"

// IsLoopback reports whether host is this machine alone, where secrets may travel
// without encryption.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

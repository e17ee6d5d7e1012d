package outbound

import (
	"net/netip"
	"testing"
)

// FuzzAllowed: no way of writing an address of IPv4 into one of IPv6 leads to where the
// address itself does not, and the machine and its networks are never reached.
func FuzzAllowed(f *testing.F) {
	for _, seed := range [][4]byte{{127, 0, 0, 1}, {10, 0, 0, 1}, {169, 254, 169, 254}, {8, 8, 8, 8}, {0, 0, 0, 0}, {255, 255, 255, 255}, {100, 64, 0, 1}} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, a, b, c, d byte) {
		client := &Client{}
		ip := netip.AddrFrom4([4]byte{a, b, c, d})
		direct := client.control("tcp", netip.AddrPortFrom(ip, 443).String(), nil) == nil
		if direct && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || a == 0 || a >= 224) {
			t.Errorf("%s is reached", ip)
		}
		mapped := netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: a, 13: b, 14: c, 15: d})
		if got := client.allowed(mapped); got != direct {
			t.Errorf("%s is reached: %v, and as %s: %v", ip, direct, mapped, got)
		}
		for _, disguised := range []netip.Addr{
			netip.AddrFrom16([16]byte{12: a, 13: b, 14: c, 15: d}),                                               // compatible
			netip.AddrFrom16([16]byte{0: 0, 1: 0x64, 2: 0xff, 3: 0x9b, 12: a, 13: b, 14: c, 15: d}),              // NAT64
			netip.AddrFrom16([16]byte{0: 0x20, 1: 0x02, 2: a, 3: b, 4: c, 5: d, 15: 1}),                          // 6to4
			netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 4: a, 5: b, 6: c, 7: d, 12: ^a, 13: ^b, 14: ^c, 15: ^d}), // Teredo
		} {
			if client.control("tcp", netip.AddrPortFrom(disguised, 443).String(), nil) == nil {
				t.Errorf("%s is reached as %s", ip, disguised)
			}
		}
	})
}

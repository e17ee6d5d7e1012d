// Package hostname says which names of hosts are the same, and which are names at
// all. It imports nothing of Gatehouse.
package hostname

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// Canonical is the form in which hosts are stored and compared: lower case, no
// trailing dot, international names in their ASCII form, IP addresses in their
// shortest. What is no name of a host stays what it is, and equals none.
func Canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && ip.Zone() == "" {
		return ip.Unmap().String()
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		if ascii, err := idna.Lookup.ToASCII(host); err == nil {
			return strings.TrimSuffix(ascii, ".")
		}
	}
	return host
}

// IsDomain reports whether a canonical name is one that a domain can have: labels
// of letters, digits and hyphens.
func IsDomain(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, labelCharacters) != "" {
			return false
		}
	}
	return true
}

// IsHost reports whether a canonical name is that of a domain or an IP address.
func IsHost(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || IsDomain(name)
}

const (
	maxLabel        = 63
	labelCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-"
)

// Label makes a label of a text, of at most limit characters; it is empty where
// the text has nothing to make one of.
func Label(text string, limit int) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(labelCharacters, r):
			return r
		case r == ' ' || r == '_' || r == '.':
			return '-'
		}
		return -1
	}, strings.ToLower(strings.TrimSpace(text)))
	if len(label) > limit {
		label = label[:limit]
	}
	return strings.Trim(label, "-")
}

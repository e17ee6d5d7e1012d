package hostname

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"Example.COM":            "example.com",
		"example.com.":           "example.com",
		"Bücher.example":         "xn--bcher-kva.example",
		"BÜCHER。example":         "xn--bcher-kva.example",
		"xn--bcher-kva.EXAMPLE.": "xn--bcher-kva.example",
		"[0:0:0:0:0:0:0:1]":      "::1",
		"::1":                    "::1",
		"::FFFF:127.0.0.1":       "127.0.0.1",
		"fe80::1%eth0":           "fe80::1%eth0",
		"example.com..":          "example.com.",
		"":                       "",
	} {
		if got := Canonical(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

func TestIsDomain(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"localhost": true, "a-1.example.com": true, "xn--bcher-kva.example": true, strings.Repeat("a", 63) + ".com": true,
		"": false, ".": false, "a..b": false, "-a.com": false, "a-.com": false, "a_b.com": false, "example.com:443": false, "A.com": false,
		"bücher.example": false, strings.Repeat("a", 64) + ".com": false, strings.Repeat("a.", 127) + "com": false, "a b": false, "user@host": false,
	} {
		if IsDomain(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if !IsHost("::1") || !IsHost("10.0.0.1") || IsHost("[::1]") || IsHost("x:1") {
		t.Error("IP addresses are hosts in their canonical form only")
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"A. & Söhne_1": "a---shne-1", " Acme ": "acme", "株式会社": "", "-x-": "x", "abcdefghij-klm": "abcdefghij"} {
		if got := Label(text, 11); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

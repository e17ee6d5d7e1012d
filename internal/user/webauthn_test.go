package user

import "testing"

func TestSites(t *testing.T) {
	t.Parallel()
	s := sites{"id.example.com", "login.example.co.uk", "localhost", "10.0.0.1", "xn--bcher-kva.example"}
	for domain, want := range map[string]string{
		"id.example.com": "id.example.com", "ID.example.com.": "id.example.com", "example.com": "example.com", "example.co.uk": "example.co.uk",
		"localhost": "localhost", "bücher.example": "xn--bcher-kva.example",
		"com": "", "co.uk": "", "uk": "", "ample.com": "", "other.com": "", "evil.id.example.com": "", "10.0.0.1": "", "": "",
		"id.example.com:443": "", "https://id.example.com": "", "id.example.com/": "", ".com": "",
	} {
		if got, err := s.rpID(domain); got != want || (err == nil) != (want != "") {
			t.Errorf("domain %q: %q, %v", domain, got, err)
		}
	}
	for _, c := range []struct {
		rpID, origin string
		want         bool
	}{
		{"example.com", "https://id.example.com", true},
		{"example.com", "https://id.example.com:8443", true},
		{"id.example.com", "https://id.example.com", true},
		{"localhost", "http://localhost:8080", true},
		{"id.example.com", "http://id.example.com", false},
		{"example.com", "https://evil.example.com", false}, // nothing of ours
		{"id.example.com", "https://login.example.co.uk", false},
		{"id.example.com", "https://evil.com", false},
		{"id.example.com", "https://evilid.example.com", false},
		{"id.example.com", "https://id.example.com.evil.com", false},
		{"id.example.com", "https://user@id.example.com", false},
		{"id.example.com", "https://id.example.com/path", false},
		{"id.example.com", "https://evil.com#id.example.com", false},
		{"localhost", "http://localhost.evil.com", false},
		{"id.example.com", "", false},
		{"id.example.com", "null", false},
	} {
		if _, err := s.party(c.rpID, c.origin); (err == nil) != c.want {
			t.Errorf("key of %s on %s: %v", c.rpID, c.origin, err)
		}
	}
}

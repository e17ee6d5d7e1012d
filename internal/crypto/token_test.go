package crypto

import "testing"

// TestSealUnder: what is sealed under a token opens with that alone, and as a whole.
func TestSealUnder(t *testing.T) {
	t.Parallel()
	sealed, err := SealUnder("KX5IJQ7XPBWK3DD26HQK2XHTFA", []byte("a code"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := UnsealUnder("KX5IJQ7XPBWK3DD26HQK2XHTFA", sealed); err != nil || string(data) != "a code" {
		t.Errorf("%q, %v", data, err)
	}
	other := "A"
	if sealed[:1] == other {
		other = "B"
	}
	for token, text := range map[string]string{"KX5IJQ7XPBWK3DD26HQK2XHTFB": sealed, "KX5IJQ7XPBWK3DD26HQK2XHTFA": other + sealed[1:], "": sealed, "KX5IJQ": "!"} {
		if data, err := UnsealUnder(token, text); err == nil {
			t.Errorf("%q opens %q: %q", token, text, data)
		}
	}
}

//go:build unix

package server_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var update = flag.Bool("update", false, "write docs/coverage.md anew")

const coveragePage = "../../docs/coverage.md"

// TestCoverage holds docs/coverage.md against the server as it is wired, so that
// the page never promises an RPC that does not answer, nor hides one that does.
func TestCoverage(t *testing.T) {
	s, err := server.New(testdb.Open(t), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := coverage(s.API.Built())
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(coveragePage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(coveragePage)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("docs/coverage.md is out of date: run `make coverage-page` (%v)", err)
	}
}

// service is one service of the contract, its RPCs by name.
type service struct {
	name          string
	answer, apart []string
}

func (s service) total() int { return len(s.answer) + len(s.apart) }

// coverage writes the page from the procedures and whether they answer. Each
// name has a line of its own, so that a change of the page reads well.
func coverage(built map[string]bool) []byte {
	services := group(built)
	var page bytes.Buffer
	all, answer := 0, 0
	for _, s := range services {
		all += s.total()
		answer += len(s.answer)
	}
	fmt.Fprintf(&page, `# Coverage

<!-- Written by make coverage-page. Do not edit. -->

The contract has %d RPCs in %d services. %d of them answer, over gRPC, gRPC-Web, Connect and, where the
contract gives a route, REST; the others answer UNIMPLEMENTED on every protocol.

| Service | RPCs | Answer |
|---|--:|--:|
`, all, len(services), answer)
	for _, s := range services {
		fmt.Fprintf(&page, "| [%s](#%s) | %d | %d |\n", s.name, anchor(s.name), s.total(), len(s.answer))
	}
	for _, s := range services {
		fmt.Fprintf(&page, "\n## %s\n", s.name)
		names(&page, "Answer", s.answer)
		names(&page, "Not built yet", s.apart)
	}
	return page.Bytes()
}

func group(built map[string]bool) []service {
	var out []service
	for _, procedure := range slices.Sorted(maps.Keys(built)) {
		name, rpc, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
		if len(out) == 0 || out[len(out)-1].name != name {
			out = append(out, service{name: name})
		}
		s := &out[len(out)-1]
		if built[procedure] {
			s.answer = append(s.answer, rpc)
		} else {
			s.apart = append(s.apart, rpc)
		}
	}
	return out
}

func names(page *bytes.Buffer, title string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(page, "\n%s (%d):\n%s.\n", title, len(list), strings.Join(list, ",\n"))
	}
}

// anchor is the fragment that Markdown renderers give a heading.
func anchor(heading string) string {
	return strings.ToLower(strings.ReplaceAll(heading, ".", ""))
}

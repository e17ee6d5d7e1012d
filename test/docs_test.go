package test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// document is a document as its readers see it.
type document struct {
	path, text string // the path from the root
	// code is what stands in backquotes, and the lines of indented or fenced blocks.
	code []string
}

var (
	fencedBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
	codeLine    = regexp.MustCompile(`(?m)^ {4}(.*)$`)
	aLink       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// documents reads the documents that people write.
func documents(t *testing.T) (out []document) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := document{path: strings.TrimPrefix(filepath.ToSlash(file), "../")}
			for _, block := range fencedBlock.FindAllString(string(data), -1) {
				p.code = append(p.code, strings.Split(block, "\n")...)
			}
			p.text = fencedBlock.ReplaceAllString(string(data), "")
			for _, expression := range []*regexp.Regexp{codeSpan, codeLine} {
				for _, m := range expression.FindAllStringSubmatch(p.text, -1) {
					p.code = append(p.code, m[1])
				}
			}
			out = append(out, p)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d documents", len(out))
	}
	return out
}

// TestLinksLeadSomewhere: a relative link of a document names a file, and a
// heading in it where it has a fragment.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, p := range documents(t) {
		for _, m := range aLink.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target, fragment, _ := strings.Cut(m[1], "#")
			file := filepath.Join("..", filepath.Dir(p.path), target)
			if target == "" {
				file = filepath.Join("..", p.path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", p.path, m[1])
				continue
			}
			if fragment != "" && !slices.Contains(fragments(t, file), fragment) {
				t.Errorf("%s links to %s, which has no such heading", p.path, m[1])
			}
		}
	}
}

// fragments are the names that renderers give the headings of a document.
func fragments(t *testing.T, file string) (out []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			out = append(out, strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
					return unicode.ToLower(r)
				}
				return -1
			}, strings.TrimSpace(title)))
		}
	}
	return out
}

// TestDocumentsNameWhatExists: commands, files and tests that a document names
// are there, but for those that its reader is about to write.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	targets, tests := makeTargets(t), testNames(t)
	path := regexp.MustCompile(`^(?:cmd|docs|gen|internal|proto|test|tools)/[\w./-]*\w$`)
	command := regexp.MustCompile(`^(?:.*&& )?(?:\$ )?(?:go run \./cmd/)?(make|gatehouse)((?: [a-z-]+)+)`)
	known := map[string]bool{}
	for _, p := range documents(t) {
		written := strings.Join(p.code, "\n") // What a walk has its reader write.
		for _, code := range p.code {
			if path.MatchString(code) && !strings.Contains(p.text, "**`"+code+"`**, new") {
				if _, err := os.Stat("../" + code); err != nil {
					t.Errorf("%s names %s, which does not exist", p.path, code)
				}
			}
			if strings.HasPrefix(code, "Test") && !slices.Contains(tests, code) && !strings.Contains(written, "func "+code+"(") {
				t.Errorf("%s names the test %s, which does not exist", p.path, code)
			}
			m := command.FindStringSubmatch(code)
			switch {
			case m == nil:
			case m[1] == "make":
				for target := range strings.FieldsSeq(m[2]) {
					if !slices.Contains(targets, target) {
						t.Errorf("%s names make %s, which the Makefile does not have", p.path, target)
					}
				}
			default:
				name := strings.Fields(m[2])[0]
				if _, asked := known[name]; !asked {
					known[name] = exec.Command("go", "run", "../cmd/gatehouse", name, "--help").Run() == nil
				}
				if !known[name] {
					t.Errorf("%s names gatehouse %s, which is no command", p.path, name)
				}
			}
		}
	}
	if len(known) == 0 {
		t.Error("no document names a command")
	}
}

// TestQuotesAreTrue: what docs/adding-an-rpc.md quotes from a file is there, each
// paragraph by itself.
func TestQuotesAreTrue(t *testing.T) {
	t.Parallel()
	const page = "docs/adding-an-rpc.md"
	data, err := os.ReadFile("../" + page)
	if err != nil {
		t.Fatal(err)
	}
	quotes := regexp.MustCompile("(?ms)^\\*\\*`([^`]+)`\\*\\*:\n\n```\\w+\n(.*?)^```$").FindAllStringSubmatch(string(data), -1)
	if len(quotes) != strings.Count(string(data), "\n```\n") {
		t.Errorf("%s has quotes without the name of their file", page)
	}
	for _, quote := range quotes {
		source, err := os.ReadFile("../" + quote[1])
		if err != nil {
			t.Fatal(err)
		}
		for paragraph := range strings.SplitSeq(quote[2], "\n\n") {
			if !strings.Contains(string(source), strings.TrimSuffix(paragraph, "\n")) {
				t.Errorf("%s quotes what %s does not have: change the page to show the code as it is\n%s", page, quote[1], paragraph)
			}
		}
	}
}

func makeTargets(t *testing.T) (out []string) {
	t.Helper()
	data, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(data), -1) {
		out = append(out, m[1])
	}
	return out
}

func testNames(t *testing.T) (out []string) {
	t.Helper()
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range name.FindAllStringSubmatch(string(data), -1) {
			out = append(out, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestArchitectureNamesEveryRoom holds docs/architecture.md against the folders:
// it names every room with code, and no other. A folder/* stands for all in it.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:cmd|internal)/[a-z]+(?:/[a-z]+|/\*)?(?:[^\w./]|$)`)
	rooms := map[string]bool{}
	for _, room := range named.FindAllString(string(data), -1) {
		room = strings.TrimRight(room, " `,;:.)\n")
		rooms[room] = true
		if files, _ := filepath.Glob("../" + room + "/*.go"); len(files) == 0 {
			t.Errorf("docs/architecture.md names the room %s, which does not exist", room)
		}
	}
	for _, pattern := range []string{"../cmd/*/*.go", "../internal/*/*.go", "../internal/*/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			room := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../")
			if !rooms[room] && !rooms[filepath.ToSlash(filepath.Dir(room))+"/*"] {
				t.Errorf("docs/architecture.md does not say what the room %s owns", room)
				rooms[room] = true // Once is enough.
			}
		}
	}
}

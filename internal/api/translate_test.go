package api

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// textArgument says which argument of a function is a text for people: of those
// of fault, and of unless, which states the limits of the contract.
var textArgument = map[string]int{
	"New": 2, "Invalid": 1, "NotFound": 1, "Precondition": 1, "Denied": 1, "Unauthenticated": 1, "AlreadyExists": 1,
	"Exhausted": 1, "Unavailable": 1, "Unimplemented": 0, "Say": 0, "unless": 1,
}

// texts collects the texts of faults, and where they stand.
type texts struct {
	t     *testing.T
	files *token.FileSet
	at    map[string]token.Position
}

// look notes the text of a call that makes a fault. It must be constant, since it
// is the key of its translations.
func (c *texts) look(room string, n ast.Node) bool {
	if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && (room == "fault" || f.Name.Name == "unless") {
		_, passesOn := textArgument[f.Name.Name]
		return !passesOn // the text that it was given
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		if room == "fault" || f.Name == "unless" {
			name = f.Name
		}
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && x.Name == "fault" {
			name = f.Sel.Name
		}
	}
	i, ok := textArgument[name]
	if !ok {
		return true
	}
	at := c.files.Position(call.Args[i].Pos())
	text := literal(call.Args[i])
	switch given := len(call.Args) - i - 1; {
	case text == nil:
		c.t.Errorf("%s: the text of a fault must be a constant, with arguments for what varies: a fault.Say for what is translated by itself", at)
		return true
	case len(verbsOf(constant.StringVal(text))) != given:
		c.t.Errorf("%s: %s has not one verb for each of %d arguments", at, text, given)
	}
	c.at[constant.StringVal(text)] = at
	return true
}

// literal gives the value of a string, or of strings that are added; nil for
// what is not written out.
func literal(e ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.BinaryExpr:
		if x, y := literal(e.X), literal(e.Y); x != nil && y != nil {
			return constant.BinaryOp(x, e.Op, y)
		}
	}
	return nil
}

var aVerb = regexp.MustCompile(`%(?:\[(\d)\])?([a-z%])`)

// verbsOf lists the verbs of a text by the argument that they show: the second is
// %[2]s where a translation needs it earlier.
func verbsOf(text string) (out []string) {
	next := 1
	for _, m := range aVerb.FindAllStringSubmatch(text, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			next = int(m[1][0] - '0')
		}
		out = append(out, string(rune('0'+next))+m[2])
		next++
	}
	slices.Sort(out)
	return out
}

// TestEveryTextIsTranslated: each language has all texts of faults, and no others.
func TestEveryTextIsTranslated(t *testing.T) {
	t.Parallel()
	c := &texts{t: t, files: token.NewFileSet(), at: map[string]token.Position{}}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(c.files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool { return c.look(f.Name.Name, n) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.at) < 200 {
		t.Fatalf("only %d texts found", len(c.at))
	}
	languages, err := localeFiles.ReadDir("locales")
	if err != nil || len(languages) == 0 {
		t.Fatal("no translations", err)
	}
	for _, l := range languages {
		c.compare("locales/" + l.Name())
	}
}

// compare holds the translations of a file against the texts.
func (c *texts) compare(file string) {
	data, err := localeFiles.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	translated := map[string]string{}
	if err := yaml.Unmarshal(data, &translated); err != nil {
		c.t.Fatalf("internal/api/%s: %v", file, err)
	}
	for text, at := range c.at {
		switch other := translated[text]; {
		case other == "":
			c.t.Errorf("%s: no translation. Add to internal/api/%s the line\n%q: \"…\"", at, file, text)
		case !slices.Equal(verbsOf(text), verbsOf(other)):
			c.t.Errorf("internal/api/%s: %q must have the verbs of %q, as %%[2]s where their order differs", file, other, text)
		}
	}
	for text := range translated {
		if _, used := c.at[text]; !used {
			c.t.Errorf("internal/api/%s: no fault has the text %q any more. Remove the line, or change its key with the fault", file, text)
		}
	}
}

// TestTranslate: a sentence and the phrases in it are in the caller's language.
func TestTranslate(t *testing.T) {
	t.Parallel()
	nested := fault.Invalid("", "%s %s.", "origins", fault.Say("entry %d %s", 3, fault.Say("has more than %d characters", 200)))
	for _, c := range []struct {
		languages string
		fault     *fault.Error
		want      string
	}{
		{"de-CH", nested, "origins Eintrag 3 hat mehr als 200 Zeichen."},
		{"fr, de;q=0.5", nested, "origins Eintrag 3 hat mehr als 200 Zeichen."},
		{"en, de;q=0.5", nested, "origins entry 3 has more than 200 characters."},
		{"", nested, "origins entry 3 has more than 200 characters."},
		{"de", fault.Invalid("", "%s %s.", "name", fault.Say("is unheard of")), "name is unheard of."},
		{"de", fault.Invalid("", "100% unknown."), "100% unknown."},
	} {
		if got := translate(languages(c.languages), c.fault); got != c.want {
			t.Errorf("%q: %q, want %q", c.languages, got, c.want)
		}
	}
}

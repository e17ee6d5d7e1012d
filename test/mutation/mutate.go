package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one small mistake that could have been made.
type mutant struct {
	id          int
	file        string
	line        int
	room, wrong string
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.wrong) }

// mutator writes every mistake into the sources at once, each behind a switch of its own, so that
// they are built once.
type mutator struct {
	mutants []mutant
	// of the file at hand
	set     *token.FileSet
	room    string
	path    string
	source  []byte
	inserts []insert
}

// insert is a text that comes into the source at a place. Of two at one place the one that
// begins last is inside.
type insert struct {
	at    int
	text  string
	opens bool
}

// switches is the package that the mutants ask whether they are on, and that notes who asked.
const switches = `// Package mutant switches mistakes on.
package mutant

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

var (
	on, _ = strconv.Atoi(os.Getenv("MUTANT"))
	trace = os.Getenv("MUTANT_TRACE")
	seen  sync.Map
)

// On reports whether a mutant is the one of this run.
func On(id int) bool {
	if trace != "" {
		if _, before := seen.LoadOrStore(id, true); !before {
			if f, err := os.OpenFile(trace, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
				fmt.Fprintln(f, id)
				f.Close()
			}
		}
	}
	return id == on
}
`

// mutate gives the text of a source with its mistakes.
func (m *mutator) mutate(room, path string) (string, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	m.set, m.room, m.path, m.source, m.inserts = token.NewFileSet(), room, path, source, nil
	file, err := parser.ParseFile(m.set, path, source, 0)
	if err != nil {
		return "", err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			ast.Inspect(f.Body, m.visit)
		}
	}
	if len(m.inserts) == 0 {
		return string(source), nil
	}
	end := m.offset(file.Name.End())
	m.inserts = append(m.inserts, insert{end, `; import "github.com/gatehouse/gatehouse/internal/mutant"`, true})
	return m.text(), nil
}

// text puts the inserts into the source.
func (m *mutator) text() string {
	slices.SortStableFunc(m.inserts, func(a, b insert) int { return a.at - b.at })
	var out strings.Builder
	from := 0
	for i := 0; i < len(m.inserts); {
		at, j := m.inserts[i].at, i
		for j < len(m.inserts) && m.inserts[j].at == at {
			j++
		}
		out.Write(m.source[from:at])
		// What was found first is outside: its end comes last, its beginning first.
		for k := j - 1; k >= i; k-- {
			if !m.inserts[k].opens {
				out.WriteString(m.inserts[k].text)
			}
		}
		for _, in := range m.inserts[i:j] {
			if in.opens {
				out.WriteString(in.text)
			}
		}
		from, i = at, j
	}
	out.Write(m.source[from:])
	return out.String()
}

func (m *mutator) offset(p token.Pos) int { return m.set.Position(p).Offset }

func (m *mutator) original(n ast.Node) string {
	return string(m.source[m.offset(n.Pos()):m.offset(n.End())])
}

// add notes a mistake at a node; around makes the texts before and after it from its switch.
func (m *mutator) add(n ast.Node, wrong string, around func(on string) (before, after string)) {
	id := len(m.mutants) + 1
	file := filepath.ToSlash(m.path)
	m.mutants = append(m.mutants, mutant{id, file, m.set.Position(n.Pos()).Line, m.room, wrong})
	before, after := around(fmt.Sprintf("mutant.On(%d)", id))
	m.inserts = append(m.inserts, insert{m.offset(n.Pos()), before, true}, insert{m.offset(n.End()), after, false})
}

// visit looks for what can be done wrong.
func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.BinaryExpr:
		m.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			m.add(n, "without the !: "+m.original(n), negated)
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && m.original(call.Fun) != "panic" {
			m.add(n, "left out: "+m.original(n), leftOut)
		}
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE && !m.inHead(n) {
			m.add(n, "left out: "+m.original(n), leftOut)
		}
	case *ast.IfStmt:
		m.head(n.Init)
	case *ast.SwitchStmt:
		m.head(n.Init)
	case *ast.ForStmt:
		m.head(n.Init)
		m.head(n.Post)
	case *ast.CommClause:
		m.head(n.Comm)
	case *ast.TypeSwitchStmt:
		m.head(n.Init)
		m.head(n.Assign)
	}
	return true
}

// heads are the statements that cannot be left out: those in the head of others.
var heads = map[ast.Stmt]bool{}

func (m *mutator) head(s ast.Stmt) {
	if s != nil {
		heads[s] = true
	}
}

func (m *mutator) inHead(s ast.Stmt) bool { return heads[s] }

func negated(on string) (string, string) { return "(" + on + " != (", "))" }

func leftOut(on string) (string, string) { return "if !" + on + " { ", " }" }

// others are the operators that stand for one by mistake.
var others = map[token.Token]string{token.LAND: " || ", token.LOR: " && "}

func (m *mutator) binary(n *ast.BinaryExpr) {
	x, y := "("+m.original(n.X)+")", "("+m.original(n.Y)+")"
	one := func(some ...token.Token) bool { return slices.Contains(some, n.Op) }
	if one(token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ) {
		m.add(n, "the contrary of "+m.original(n), negated)
	}
	if one(token.LSS, token.GTR) {
		m.add(n, "also where equal: "+m.original(n), func(on string) (string, string) {
			return "((", ") || " + on + " && " + x + " == " + y + ")"
		})
	}
	if one(token.LEQ, token.GEQ) {
		m.add(n, "not where equal: "+m.original(n), func(on string) (string, string) {
			return "((", ") && !(" + on + " && " + x + " == " + y + "))"
		})
	}
	if other := others[n.Op]; other != "" {
		m.add(n, strings.TrimSpace(other)+" in "+m.original(n), func(on string) (string, string) {
			return "(" + on + " && (" + x + other + y + ") || !" + on + " && (", "))"
		})
	}
}

// Command analyzers holds the rules of the house that no public linter knows. It
// runs under go vet -vettool.
package main

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/analysis/unitchecker"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

func main() { unitchecker.Main(foldsOnly, pureWrite) }

const module = "github.com/gatehouse/gatehouse/"

// foldsOnly reports SQL that writes, anywhere but in a fold: a table that is not
// the fold of events cannot be replayed.
var foldsOnly = &analysis.Analyzer{
	Name: "foldsonly", Doc: "SQL writes belong into folds",
	Requires: []*analysis.Analyzer{inspect.Analyzer}, Run: runFoldsOnly,
}

// The rooms below the ledger, and those that keep rows which nobody audits.
var mayWrite = []string{"internal/database", "internal/eventstore", "internal/job", "internal/crypto"}

// The receivers whose methods may be given SQL that writes.
var foldWriters = []string{"internal/eventstore.Fold", "internal/eventstore.Ephemeral"}

func runFoldsOnly(pass *analysis.Pass) (any, error) {
	room, ours := strings.CutPrefix(pass.Pkg.Path(), module)
	if !ours || slices.Contains(mayWrite, room) || strings.HasPrefix(room, "internal/testkit") || strings.HasSuffix(room, "_test") {
		return nil, nil
	}
	visit(pass, func(call *ast.CallExpr) {
		callee := typeutil.Callee(pass.TypesInfo, call)
		inFold := callee != nil && slices.Contains(foldWriters, receiver(callee))
		for _, arg := range call.Args {
			if writes(pass, arg) && !inFold {
				pass.Reportf(arg.Pos(), "SQL that writes belongs into a fold: emit an event")
			}
		}
	})
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CompositeLit)(nil)}, func(n ast.Node) {
		t := pass.TypesInfo.TypeOf(n.(*ast.CompositeLit))
		if t != nil && t.String() == module+"internal/database.Statement" {
			pass.Reportf(n.Pos(), "a statement that writes belongs into a fold: emit an event")
		}
	})
	return nil, nil
}

func writes(pass *analysis.Pass, arg ast.Expr) bool {
	v := pass.TypesInfo.Types[arg].Value
	if v == nil || v.Kind() != constant.String {
		return false
	}
	text := strings.TrimSpace(constant.StringVal(v))
	return strings.HasPrefix(text, "INSERT INTO ") || strings.HasPrefix(text, "UPDATE ") && strings.Contains(text, " SET ") ||
		strings.HasPrefix(text, "DELETE FROM ")
}

// pureWrite reports what a transaction's closure must not do, because it holds
// locks meanwhile and may run again: I/O of its own, waiting, hashing.
var pureWrite = &analysis.Analyzer{
	Name: "purewrite", Doc: "the closure of a transaction does no I/O of its own",
	Requires: []*analysis.Analyzer{inspect.Analyzer}, Run: runPureWrite,
}

// The packages, and the functions of others, that are out of place there.
var (
	impure      = []string{"net", "net/http", "os", "os/exec", "golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt", "golang.org/x/crypto/scrypt"}
	impureFuncs = []string{"time.Sleep", module + "internal/crypto.HashPassword", module + "internal/crypto.PasswordMatches"}
)

func runPureWrite(pass *analysis.Pass) (any, error) {
	visit(pass, func(call *ast.CallExpr) {
		callee := typeutil.Callee(pass.TypesInfo, call)
		if callee == nil || callee.Name() != "Write" ||
			!slices.Contains([]string{"internal/eventstore.Store", "internal/database.DB"}, receiver(callee)) {
			return
		}
		for _, arg := range call.Args {
			closure, ok := arg.(*ast.FuncLit)
			if !ok {
				continue
			}
			ast.Inspect(closure, func(n ast.Node) bool {
				inner, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f := typeutil.Callee(pass.TypesInfo, inner)
				if f == nil || f.Pkg() == nil {
					return true
				}
				if slices.Contains(impure, f.Pkg().Path()) || slices.Contains(impureFuncs, f.Pkg().Path()+"."+f.Name()) {
					pass.Reportf(inner.Pos(), "%s.%s inside a transaction: do it before or after", f.Pkg().Name(), f.Name())
				}
				return true
			})
		}
	})
	return nil, nil
}

func visit(pass *analysis.Pass, do func(*ast.CallExpr)) {
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CallExpr)(nil)}, func(n ast.Node) { do(n.(*ast.CallExpr)) })
}

// receiver is the room and type that a method belongs to.
func receiver(callee types.Object) string {
	f, ok := callee.(*types.Func)
	if !ok {
		return ""
	}
	sig := f.Signature()
	if sig.Recv() == nil {
		return ""
	}
	return strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(sig.Recv().Type().String(), "*"), module), "*")
}

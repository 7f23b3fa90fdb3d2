package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whoever opens a database's file, or its -wal or -shm, by itself takes SQLite's locks away when it closes
// it, and an acknowledged row can vanish (facts: reliability, ten lines, 5). So files are opened in a few
// places only, which are known to mean other files or to run while nobody has the database open.
func TestNobodyOpensADatabaseBesideSQLite(t *testing.T) {
	allowed := map[string][]string{
		"os.Open": {
			"compareSum", "copyFile", // a backup, or a file in which nobody has a connection
			"openSnapshot", // a snapshot
			"toDisk",       // a folder
		},
		"os.OpenFile": {
			"copyFile", "settle", // a copy on its way, that nobody has open
			"keep",  // a snapshot
			"write", // the mark
		},
		"os.Create":    {"take"},               // the ballast
		"os.ReadFile":  {"compareSum", "read"}, // a sum, the mark
		"os.WriteFile": {"writeWhole"},         // a sum
		"os.Truncate":  nil, "os.Link": nil, "os.CopyFS": nil, "os.OpenRoot": nil, "os.DirFS": nil,
		"syscall.Open": nil, "ioutil.ReadFile": nil, "unix.Open": nil,
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				call := pkg.Name + "." + sel.Sel.Name
				where, watched := allowed[call]
				if watched {
					seen++
				}
				if watched && !slices.Contains(where, fn.Name.Name) {
					t.Errorf("%s: %s calls %s", name, fn.Name.Name, call)
				}
				return true
			})
		}
	}
	if seen < 8 {
		t.Errorf("only %d calls were looked at", seen)
	}
}

package server

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"reflect"
	"testing"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestTablesAreComplete counts both sides of every table: the constants in the source of the
// room behind, and the values of the API but the unspecified one.
func TestTablesAreComplete(t *testing.T) {
	for _, c := range []struct {
		table        any
		folder, kind string // where the constants of the other side are
		without      int    // constants that have no translation, by decision
		unspecified  bool   // the API's zero value is one of the translations
	}{
		{uses, "certs/profile", "Use", 0, false},
		{methods, "certs/profile", "Method", 0, false},
		{methodViews, "certs/profile", "Method", 0, false},
		{kinds, "certs/profile", "Kind", 0, false},
		{conclusions, "certs", "Conclusion", 0, false},
		{statuses, "certs", "Status", 0, false},
		{outcomes, "certs", "Outcome", 0, false},
		{nextSteps, "certs", "NextStep", 0, false},
		{eras, "certs", "Era", 0, false},
		{severities, "certs/reason", "Severity", 0, false},
		{revocationReasons, "certs/crl", "Reason", 1, true}, // removeFromCRL
		{algorithms, "certs/signature", "", 0, false},
		{platforms, "server/device", "Platform", 0, false},
		{platformViews, "server/device", "Platform", 0, false},
		{supports, "server/device", "Support", 0, false},
		{sourceStates, "server/revocation", "State", 0, false},
		{genders, "", "", 0, false},
	} {
		table := reflect.ValueOf(c.table)
		if c.kind != "" {
			if n := countConstants(t, c.folder, c.kind) - c.without; table.Len() != n {
				t.Errorf("%s.%s has %d values to translate, the table %d", c.folder, c.kind, n, table.Len())
			}
		}
		seen := map[protoreflect.EnumNumber]bool{}
		var enum protoreflect.EnumDescriptor
		others := map[any]bool{}
		for _, key := range table.MapKeys() {
			view, ok := key.Interface().(protoreflect.Enum)
			other := table.MapIndex(key).Interface()
			if !ok {
				view, other = table.MapIndex(key).Interface().(protoreflect.Enum), key.Interface()
			}
			if seen[view.Number()] || others[other] {
				t.Errorf("%T: %v or %v stands twice", c.table, view, other)
			}
			seen[view.Number()], others[other] = true, true
			enum = view.Descriptor()
		}
		values := enum.Values().Len()
		if !c.unspecified {
			values--
		}
		if len(seen) != values || seen[0] != c.unspecified {
			t.Errorf("%s has %d values to translate, the table %d", enum.FullName(), values, len(seen))
		}
	}
	if conclusions[0] != tashikav1.Verdict_VERDICT_UNSPECIFIED {
		t.Error("a verdict that was never reached is something")
	}
}

// countConstants counts the constants of a type in a folder, those of iota lists included.
func countConstants(t *testing.T, folder, kind string) (n int) {
	files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != gotoken.CONST {
				continue
			}
			current := ""
			for _, s := range group.Specs {
				spec := s.(*ast.ValueSpec)
				if id, ok := spec.Type.(*ast.Ident); ok {
					current = id.Name
				} else if spec.Type != nil || len(spec.Values) > 0 {
					current = ""
				}
				if current == kind {
					n += len(spec.Names)
				}
			}
		}
	}
	return n
}

// TestFailures: the closed set has a code, texts and a form for every member.
func TestFailures(t *testing.T) {
	declared := countConstants(t, "server", "failure")
	if declared != len(failures) {
		t.Errorf("%d failures are declared, the table has %d", declared, len(failures))
	}
	for f, row := range failures {
		if upperSnake(string(f)) != string(f) || len(f) > 63 || row.code == 0 || row.ja == "" || row.en == "" {
			t.Errorf("%s: %+v", f, row)
		}
		if reasonOf(fail(f)) != f || (row.retry > 0) != (retryOf(fail(f)) > 0) {
			t.Errorf("%s: details %v", f, fail(f))
		}
	}
}

// Package server_test keeps the house as it was drawn: four floors (proto, certs, server,
// client), what each may see of the others, and how its rooms are kept. Each rule is a small
// test with its reason, so that whoever meets a failure can tell whether to mend the code or
// to argue with the rule.
package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = ".." // of the repository, seen from here
	module = "github.com/tashika-jp/tashika/"
)

// source is a Go file of the repository.
type source struct {
	path      string   // from the root, with slashes
	dir       string   // of it
	imports   []string // import paths
	test      bool     // a _test.go file
	generated bool     // says so, as Go demands it (go help generate)
	lines     int
	ast       *ast.File
}

// own returns the imports that are ours, without the module's name before them.
func (s source) own() (paths []string) {
	for _, p := range s.imports {
		if rest, ok := strings.CutPrefix(p, module); ok {
			paths = append(paths, rest)
		}
	}
	return paths
}

func (s source) isMain() bool { return s.ast.Name.Name == "main" }

// under says whether a folder or import path is the given one or below it.
func under(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

var fileSet = token.NewFileSet()

// house reads every Go file, dot-folders aside.
func house(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, func(name string, data []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		file, err := parser.ParseFile(fileSet, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s := source{
			path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
			generated: ast.IsGenerated(file), lines: strings.Count(string(data), "\n"), ast: file,
		}
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.imports = append(s.imports, p)
		}
		all = append(all, s)
	})
	if len(all) < 50 {
		t.Fatalf("only %d Go files found: this is not the house", len(all))
	}
	return all
}

// walk visits every file outside of dot-folders and testdata.
func walk(t *testing.T, visit func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base != root && strings.HasPrefix(base, ".") || base == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".proto", ".yaml"}, path.Ext(name)) {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		name, err = filepath.Rel(root, name)
		visit(filepath.ToSlash(name), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// importRules say what a non-test file may not import. Tests may look everywhere: they are
// where the floors meet.
var importRules = []struct {
	name, reason string
	forbidden    func(s source, own string) bool
}{
	{"proto_imports_nothing_of_ours",
		"proto is the language that every other floor speaks, and that others generate their own code from",
		func(s source, own string) bool { return under(s.dir, "proto") && !under(own, "proto") }},
	{"certs_imports_no_other_floor",
		"certs is knowledge that must be usable and testable without a server, by the offline commands too",
		func(s source, own string) bool { return under(s.dir, "certs") && !under(own, "certs") }},
	{"only_tests_and_mains_import_the_sandbox",
		"what verifies real certificates must not be able to make pretended ones",
		func(s source, own string) bool {
			return under(own, "certs/sandbox") && !under(s.dir, "certs/sandbox") && !s.isMain()
		}},
	{"only_tests_and_mains_import_the_conformance_suites",
		"it starts other programs and reads files, to measure what verifies from outside",
		func(s source, own string) bool {
			return under(own, "certs/conformance") && !under(s.dir, "certs/conformance") && !s.isMain()
		}},
	{"client_imports_only_proto",
		"an SDK's dependencies become those of every relying party; only its command may read files offline, over certs",
		func(s source, own string) bool {
			cmd := under(s.dir, "client/cmd") && under(own, "certs")
			return under(s.dir, "client") && !under(own, "proto") && !under(own, "client") && !cmd
		}},
	{"nobody_imports_server",
		"the server is an end, not a library; only its own commands start it",
		func(s source, own string) bool { return under(own, "server") && !under(s.dir, "server") }},
	{"only_commands_import_server",
		"a room that knows the whole house cannot be understood or tested alone",
		func(s source, own string) bool {
			return own == "server" && under(s.dir, "server") && !under(s.dir, "server/cmd")
		}},
	{"rooms_of_server_do_not_import_each_other",
		"rooms meet in package server, where their order and their errors are decided once",
		func(s source, own string) bool {
			from, to := room(s.dir), room(own)
			return from != "" && to != "" && from != to
		}},
}

// room is the room of the server that a folder belongs to; empty for the server itself and
// its commands.
func room(dir string) string {
	rest, ok := strings.CutPrefix(dir, "server/")
	first, _, _ := strings.Cut(rest, "/")
	if !ok || first == "cmd" {
		return ""
	}
	return first
}

func TestImports(t *testing.T) {
	files := house(t)
	for _, rule := range importRules {
		t.Run(rule.name, func(t *testing.T) {
			for _, s := range files {
				for _, own := range s.own() {
					if !s.test && rule.forbidden(s, own) {
						t.Errorf("%s imports %s; %s", s.path, own, rule.reason)
					}
				}
			}
		})
	}
}

// Proto and certs meet in one place, where each notion of the one is translated into the
// other; two seams would come to translate differently. The client's command speaks to the
// server in proto and reads files with certs, but never translates between them.
func TestOnlyServerSeesProtoAndCerts(t *testing.T) {
	sees := map[string]map[string]bool{}
	for _, s := range house(t) {
		for _, own := range s.own() {
			if s.test {
				continue
			}
			if sees[s.dir] == nil {
				sees[s.dir] = map[string]bool{}
			}
			floor, _, _ := strings.Cut(own, "/")
			sees[s.dir][floor] = true
		}
	}
	for dir, floors := range sees {
		allowed := dir == "server" || under(dir, "server/cmd") || under(dir, "client/cmd")
		if floors["proto"] && floors["certs"] && !allowed {
			t.Errorf("%s imports both proto and certs", dir)
		}
	}
}

// A verdict must depend on nothing but what was put in: with a network, a file, a log, a
// goroutine or a clock of its own it could not be replayed, and a test could not be believed.
// The sandbox, a world to verify in, and conformance, which measures verifiers beside other
// programs, decide nothing: no verdict can depend on them, since only tests and mains import them.
func TestCertsArePure(t *testing.T) {
	harmless := []string{"net/netip", "net/url"} // they compute; they open nothing
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}
	for _, s := range house(t) {
		if s.test || !under(s.dir, "certs") || under(s.dir, "certs/sandbox") || under(s.dir, "certs/conformance") {
			continue
		}
		for _, p := range s.imports {
			if (under(p, "net") || under(p, "os") || under(p, "log") || p == "syscall") && !slices.Contains(harmless, p) {
				t.Errorf("%s imports %s", s.path, p)
			}
			if p == "time" && importName(s.ast, p) == "." {
				t.Errorf("%s hides its use of the clock behind a dot import", s.path)
			}
		}
		clockName := importName(s.ast, "time")
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", fileSet.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == clockName && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s uses time.%s", fileSet.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// importName is the name under which a file knows a package; empty if it does not.
func importName(file *ast.File, importPath string) string {
	for _, i := range file.Imports {
		switch {
		case i.Path.Value != strconv.Quote(importPath):
		case i.Name != nil:
			return i.Name.Name
		default:
			return path.Base(importPath)
		}
	}
	return ""
}

// The daemon of production must not be able to issue pretended certificates, or to offer the
// service that does, however it is configured: so neither is in it.
func TestTashikadDoesNotLinkTheSandbox(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "./server/cmd/tashikad")
	command.Dir = root
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"certs") || !slices.Contains(deps, module+"server") {
		t.Error("tashikad links neither the server nor certs: is this the daemon?")
	}
	for _, p := range deps {
		if under(p, module+"certs/sandbox") || under(p, module+"proto/tashika/sandbox") {
			t.Errorf("tashikad links %s", p)
		}
	}
}

// A package without a comment is a room that nobody can say the purpose of.
func TestPackagesHaveComments(t *testing.T) {
	documented, name := map[string]bool{}, map[string]string{}
	for _, s := range house(t) {
		if !s.test {
			name[s.dir] = s.ast.Name.Name
			documented[s.dir] = documented[s.dir] || len(strings.TrimSpace(s.ast.Doc.Text())) > 40
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s (%s) has no package comment", name[dir], dir)
		}
	}
}

// Rooms named after nothing collect everything.
func TestPackageNames(t *testing.T) {
	vague := regexp.MustCompile(`(?i)^(utils?|commons?|helpers?|managers?)$`)
	for _, s := range house(t) {
		for part := range strings.SplitSeq(s.dir+"/"+s.ast.Name.Name, "/") {
			if vague.MatchString(part) {
				t.Errorf("%s: %s is no name", s.path, part)
			}
		}
	}
}

// A file that does not fit into a head is more than one idea.
func TestFilesAreShort(t *testing.T) {
	for _, s := range house(t) {
		if s.lines > 600 && !s.generated {
			t.Errorf("%s has %d lines", s.path, s.lines)
		}
	}
	walk(t, func(name string, data []byte) {
		if lines := strings.Count(string(data), "\n"); lines > 600 && path.Ext(name) != ".go" {
			t.Errorf("%s has %d lines", name, lines)
		}
	})
}

// What is left to do stands in the issues, where somebody sees it.
func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(TODO|FIXME)\b`)
	for _, s := range house(t) {
		for _, group := range s.ast.Comments {
			for _, c := range group.List {
				if word := later.FindString(c.Text); word != "" && !s.generated {
					t.Errorf("%s: %s", fileSet.Position(c.Pos()), word)
				}
			}
		}
	}
}

// The top level is the drawing of the house: what does not stand there has no floor.
func TestTopLevel(t *testing.T) {
	want := []string{"LICENSE", "README.ja.md", "README.md", "buf.yaml", "certs", "client", "go.mod", "go.sum", "proto", "server"}
	ignored, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		skip := strings.HasPrefix(e.Name(), ".")
		for pattern := range strings.FieldsSeq(string(ignored)) { // what git does not see, such as /bin/
			match, _ := path.Match(strings.Trim(pattern, "/"), e.Name())
			skip = skip || match
		}
		if !skip {
			got = append(got, e.Name())
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s does not belong there", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

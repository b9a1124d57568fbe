package pinterest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every ```go fence of the README and of docs/*.md compiles, in one of three shapes:
//
//   - a file, if it has a package clause: it compiles exactly as it stands.
//   - declarations, if it parses as the rest of a file.
//   - statements, if not: they are the body of a func() error that need not end
//     in a return.
//
// Declarations and statements may begin with imports. What they do not import
// is found in readmeImports, and they may use the variables of readmeAssumed
// without declaring them, or declare their own of those names. They may leave a variable or an import unused, as a
// piece of a larger program does.

// readmeAssumed has the variables that a fragment may use, with their types.
var readmeAssumed = map[string]string{
	"ctx":   "context.Context",
	"conf":  "*pinterest.Config",
	"token": "*oauth2.Token",
	"src":   "*pinterest.TokenSource",
	"store": "pinterest.Store",
	"db":    "*sql.DB",

	"accounts": "*pinterest.Accounts",
	"handler":  "*login.Handler",

	"encryptionKey": "func() []byte",
	"key":           "string",
	"state":         "string",
	"code":          "string",
	"t":             "*testing.T",
	"w":             "http.ResponseWriter",
	"r":             "*http.Request",
}

// readmeImports has the import path for each package name that a fragment may
// use without importing it.
var readmeImports = map[string]string{
	"aes":      "crypto/aes",
	"assert":   "github.com/stretchr/testify/assert",
	"bytes":    "bytes",
	"cipher":   "crypto/cipher",
	"context":  "context",
	"errors":   "errors",
	"fmt":      "fmt",
	"fs":       "io/fs",
	"http":     "net/http",
	"httptest": "net/http/httptest",
	"io":       "io",
	"json":     "encoding/json",
	"log":      "log",
	"login":    "github.com/go-pinterest/pinterest/login",
	"oauth2":   "golang.org/x/oauth2",
	"os":       "os",
	"rand":     "crypto/rand",
	"redis":    "github.com/redis/go-redis/v9",
	"require":  "github.com/stretchr/testify/require",
	"signal":   "os/signal",
	"slog":     "log/slog",
	"sql":      "database/sql",
	"strings":  "strings",
	"subtle":   "crypto/subtle",
	"synctest": "testing/synctest",
	"syscall":  "syscall",
	"testing":  "testing",
	"time":     "time",
	"url":      "net/url",

	"pinterest":     "github.com/go-pinterest/pinterest",
	"pinteresttest": "github.com/go-pinterest/pinterest/pinteresttest",
	"storetest":     "github.com/go-pinterest/pinterest/storetest",
	"filestore":     "github.com/go-pinterest/pinterest/filestore",
	"sqlstore":      "github.com/go-pinterest/pinterest/sqlstore",
	"redisstore":    "github.com/go-pinterest/pinterest/redisstore",
}

func TestEveryGoSnippetInTheREADMEAndTheDocsCompiles(t *testing.T) {
	if _, err := os.Stat(".git"); errors.Is(err, os.ErrNotExist) {
		t.Skip("not a clone of the repository: the modules that README.md speaks of are not at hand")
	}
	docs, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	var fences []fence
	for _, name := range append(docs, "README.md") {
		text, err := os.ReadFile(filepath.Clean(name))
		require.NoError(t, err)
		fences = append(fences, goFences(name, string(text))...)
	}
	require.NotEmpty(t, fences, "there is no ```go fence")

	snippets := make([]snippet, len(fences))
	imported := map[string]bool{}
	for i, f := range fences {
		snippets[i], err = parseSnippet(f)
		require.NoError(t, err)
		for path := range snippets[i].imports() {
			imported[path] = true
		}
	}
	imp := exportedBy(t, slices.Sorted(maps.Keys(imported)))
	for i, s := range snippets {
		t.Run(fmt.Sprintf("%s line %d", fences[i].file, fences[i].line), func(t *testing.T) {
			for _, err := range s.check(imp) {
				t.Error(err)
			}
		})
	}
}

func TestASnippetThatDoesNotCompileIsToldByItsLineInTheREADME(t *testing.T) {
	for name, test := range map[string]struct{ readme, want string }{
		"file": {
			"```go\npackage main\n\nfunc main() { undefined() }\n```",
			"README.md:4: undefined: undefined",
		},
		"unused import in a file": {
			"```go\npackage main\n\nimport \"os\"\n\nfunc main() {}\n```",
			`README.md:4: "os" imported and not used`,
		},
		"declarations": {
			"text\n\n```go\ntype T struct{}\n\nfunc (T) m() int { return nil }\n```",
			"README.md:6: cannot use nil as int value in return statement",
		},
		"statements": {
			"1. In a list:\n\n   ```go\n   n := 1\n   var s string = n\n   ```",
			"README.md:5: cannot use n (variable of type int) as string value in variable declaration",
		},
		"statements after imports": {
			"```go\nimport (\n\t\"os\"\n)\n\nos.Exit(\"1\")\n```",
			`README.md:6: cannot use "1" (untyped string constant) as int value in argument to os.Exit`,
		},
		"syntax": {
			"```go\nx := := 2\n```",
			"README.md:2: expected operand, found ':='",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fences := goFences("README.md", test.readme)
			require.Len(t, fences, 1)
			s, err := parseSnippet(fences[0])
			if err == nil {
				imp := exportedBy(t, slices.Sorted(maps.Keys(s.imports())))
				err = errors.Join(s.check(imp)...)
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// fence is a code block, its file, and the line its text begins on.
type fence struct {
	file string
	line int
	text string
}

// goFences finds the ```go fences. One in a list is taken without its indent.
func goFences(name, markdown string) []fence {
	var found []fence
	var open string // the line that opened the fence we are in
	var indent int
	for i, line := range strings.Split(markdown, "\n") {
		line = strings.TrimRight(line, "\r")
		trimmed := strings.TrimSpace(line)
		switch {
		case open == "" && strings.HasPrefix(trimmed, "```"):
			open = trimmed
			indent = strings.Index(line, "`")
			if open == "```go" {
				found = append(found, fence{file: name, line: i + 2})
			}
		case open != "" && trimmed == "```":
			open = ""
		case open == "```go":
			blank := len(line) - len(strings.TrimLeft(line, " \t"))
			found[len(found)-1].text += line[min(indent, blank):] + "\n"
		}
	}
	return found
}

type snippet struct {
	fset  *token.FileSet
	files []*ast.File
	whole bool
}

var (
	packageClause = regexp.MustCompile(`(?m)^package \w+`)
	leadImports   = regexp.MustCompile(`^(\s*(//[^\n]*\n|import\s+\([^)]*\)|import\s+[^\n(]+\n))+`)
)

func parseSnippet(f fence) (snippet, error) {
	s := snippet{fset: token.NewFileSet(), whole: packageClause.MatchString(f.text)}
	if s.whole {
		file, err := s.parse(f.directive(0) + f.text)
		if err != nil {
			return s, err
		}
		s.files = []*ast.File{file}
		return s, nil
	}

	head := leadImports.FindString(f.text)
	if !strings.Contains(head, "import") {
		head = ""
	}
	body := f.text[len(head):]
	head = "package p\n" + f.directive(0) + head + "\n"
	at := f.directive(strings.Count(f.text[:len(f.text)-len(body)], "\n"))

	file, err := s.parse(head + at + body)
	if err != nil {
		file, err = s.parse(head + "func _() error {\n" + at + body + "\npanic(nil)\n}\n")
	}
	if err != nil {
		return s, err
	}
	assumed, err := s.parse("package p\n" + assumedBy(file))
	if err != nil {
		return s, err
	}
	addImports(file)
	addImports(assumed)
	s.files = []*ast.File{file, assumed}
	return s, nil
}

// parse reports the first syntax error only: those after it are its echo.
func (s *snippet) parse(src string) (*ast.File, error) {
	file, err := parser.ParseFile(s.fset, "readme_test.go", src, parser.SkipObjectResolution)
	if list := (scanner.ErrorList)(nil); errors.As(err, &list) {
		err = list[0]
	}
	return file, err
}

func (f fence) directive(after int) string {
	return fmt.Sprintf("//line %s:%d\n", f.file, f.line+after)
}

// assumedBy declares those of readmeAssumed whose names occur in the file and
// that it does not declare at its top level.
func assumedBy(file *ast.File) string {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Name] = true
		}
		return true
	})
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					used[id.Name] = false
				}
			}
		}
	}
	var decls strings.Builder
	for name, typ := range readmeAssumed {
		if used[name] {
			fmt.Fprintf(&decls, "var %s %s\n", name, typ)
		}
	}
	return decls.String()
}

// addImports imports what the file uses by the names of readmeImports. A name
// that stands for something else there makes an unused import, which is allowed.
func addImports(file *ast.File) {
	has := map[string]bool{}
	for path := range importsOf(file) {
		has[path] = true
	}
	var specs []ast.Spec
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				if path := readmeImports[x.Name]; path != "" && !has[path] {
					has[path] = true
					spec := &ast.ImportSpec{Path: &ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(path), ValuePos: file.Name.End()}}
					specs = append(specs, spec)
					file.Imports = append(file.Imports, spec)
				}
			}
		}
		return true
	})
	if specs != nil {
		file.Decls = append([]ast.Decl{&ast.GenDecl{Tok: token.IMPORT, Specs: specs}}, file.Decls...)
	}
}

func importsOf(file *ast.File) map[string]bool {
	paths := map[string]bool{}
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths[path] = true
		}
	}
	return paths
}

func (s snippet) imports() map[string]bool {
	paths := map[string]bool{}
	for _, file := range s.files {
		maps.Copy(paths, importsOf(file))
	}
	return paths
}

func (s snippet) check(imp types.Importer) []error {
	var errs []error
	conf := types.Config{
		Importer: imp,
		Error: func(err error) {
			// Soft errors are unused variables and imports.
			if e := (types.Error{}); !s.whole && errors.As(err, &e) && e.Soft {
				return
			}
			errs = append(errs, err)
		},
	}
	_, _ = conf.Check("p", s.fset, s.files, nil) // every error has been handed to conf.Error
	return errs
}

// exportedBy compiles the packages, in the workspace if there is one, and
// returns an importer for them.
func exportedBy(t *testing.T, paths []string) types.Importer {
	t.Helper()
	exports := map[string]string{}
	if len(paths) > 0 {
		args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export", "--"}, paths...)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = os.Getenv("PINTEREST_TEST_SNIPPETS_IN") // a module outside the workspace, when a release is rehearsed
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, "go list: %s", &stderr)
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct{ ImportPath, Export string }
			err := dec.Decode(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			exports[p.ImportPath] = p.Export
		}
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(filepath.Clean(exports[path]))
	})
}

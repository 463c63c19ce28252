package probe

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/google/go-cmp/cmp"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// embedded runs the script by mvdan.cc/sh, whose parser the demo's shell uses, in a box.
type embedded struct {
	boxRunner
}

func (e embedded) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	text := e.prepare(&c)
	if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(text), "probe"); err != nil {
		return guest.Result{}, err
	}
	// its interpreter knows export only as a word of bash
	prog, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(text), "probe")
	if err != nil {
		return guest.Result{}, err
	}
	var out, errs lockedBuffer // commands in the background are goroutines here
	r, err := interp.New(interp.Params(append([]string{"--"}, c.Args...)...), interp.StdIO(strings.NewReader(""), &out, &errs),
		interp.Env(expand.ListEnviron("PATH="+e.path, "HOME=/")))
	if err != nil {
		return guest.Result{}, err
	}
	err = r.Run(ctx, prog)
	return guest.Result{Stdout: e.box.unplace(out.buf.Bytes()), Stderr: errs.buf.Bytes()}, err
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// TestEmbeddedShell: the same facts as by a real shell, with timeout(1) starting another shell, and without.
func TestEmbeddedShell(t *testing.T) {
	for _, file := range fewBoxes {
		for _, without := range []bool{false, true} {
			b := openBox(t, file)
			name := b.name
			if without {
				name += " without timeout"
				b.drop(t, "timeout", "sleep")
			}
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if d := cmp.Diff(string(b.want), string(observeBy(ctx, t, b, embedded{b.in(t, "sh")}))); d != "" {
					t.Errorf("facts differ (-want +got):\n%s", d)
				}
			})
		}
	}
}

// TestPOSIX: each section by itself is plain POSIX sh.
func TestPOSIX(t *testing.T) {
	list, err := files.ReadDir("sections")
	must(t, err)
	for _, f := range list {
		text, err := files.ReadFile("sections/" + f.Name())
		must(t, err)
		if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(text), f.Name()); err != nil {
			t.Error(err)
		}
	}
}

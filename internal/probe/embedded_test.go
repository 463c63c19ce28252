package probe

import (
	"bytes"
	"context"
	"strings"
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
	prog, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(e.prepare(&c)), "probe")
	if err != nil {
		return guest.Result{}, err
	}
	var out, errs bytes.Buffer
	r, err := interp.New(interp.Params(append([]string{"--"}, c.Args...)...), interp.StdIO(strings.NewReader(""), &out, &errs),
		interp.Env(expand.ListEnviron("PATH="+e.path, "HOME=/")))
	if err != nil {
		return guest.Result{}, err
	}
	err = r.Run(ctx, prog)
	return guest.Result{Stdout: e.box.unplace(out.Bytes()), Stderr: errs.Bytes()}, err
}

// TestEmbeddedShell: the same facts as by a real shell, with timeout(1) starting another shell, and without.
func TestEmbeddedShell(t *testing.T) {
	for _, file := range boxFiles(t) {
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

package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the want.json of every box anew; read the diff")

func allKeys() []facts.Key {
	var out []facts.Key
	for _, s := range sections() {
		out = append(out, s.key)
	}
	return out
}

func boxFiles(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../testdata/probe/*.txtar")
	if err != nil || len(list) == 0 {
		t.Fatalf("no boxes in testdata/probe: %v", err)
	}
	return list
}

// observe runs the whole probe in a box and returns the facts as JSON, without the clock.
func observe(t *testing.T, b *box, shell ...string) []byte {
	t.Helper()
	return observeBy(context.Background(), t, b, b.in(t, shell...))
}

func observeBy(ctx context.Context, t *testing.T, b *box, r guest.Runner) []byte {
	t.Helper()
	g, err := Collect(ctx, r, allKeys(), b.params(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.Clock.Get()
	if err != nil || c.Skew.Abs() > c.Slack+5*time.Second {
		t.Errorf("clock %+v, %v", c, err)
	}
	g.Clock, g.Mongo = facts.Unknownf[facts.Clock]("differs in every run"), facts.Unknownf[facts.Mongo]("differs by the machine that tests")
	for i := range g.Mounts.Or(facts.Mounts{}).Wanted {
		w := &g.Mounts.Or(facts.Mounts{}).Wanted[i]
		if w.UID == os.Getuid() { // whoever runs the test owns the box
			w.UID, w.GID = 0, 0
		}
	}
	out, err := json.MarshalIndent(g, "", " ")
	must(t, err)
	return append(out, '\n')
}

// TestBoxes compares the facts of every box with its want.json.
func TestBoxes(t *testing.T) {
	for _, file := range boxFiles(t) {
		b := openBox(t, file)
		t.Run(b.name, func(t *testing.T) {
			if !strings.Contains(b.comment, "synthetic") && !strings.Contains(b.comment, "recorded") {
				t.Error("the comment must say whether the texts are synthetic or recorded")
			}
			got := observe(t, b, "sh")
			if *update {
				rewrite(t, file, got)
				return
			}
			if d := cmp.Diff(string(b.want), string(got)); d != "" {
				t.Errorf("facts differ (-want +got):\n%s", d)
			}
		})
	}
}

func rewrite(t *testing.T, file string, want []byte) {
	text, err := os.ReadFile(file)
	must(t, err)
	head, _, _ := bytes.Cut(text, []byte("-- want.json --\n"))
	must(t, os.WriteFile(file, append(append(head, "-- want.json --\n"...), want...), 0o644))
}

// fewBoxes are one of each large family: enough to tell shells apart.
var fewBoxes = []string{"../../testdata/probe/centos-6.4-founding.txtar", "../../testdata/probe/fedora-42-dnf5.txtar", "../../testdata/probe/debian-12-no-headers.txtar"}

// TestShells runs a few boxes by every shell that a guest may have as sh: the facts are the same.
func TestShells(t *testing.T) {
	shells := map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}, "mksh": {"mksh"}, "ksh93": {"ksh93"}}
	for _, file := range fewBoxes {
		for name, shell := range shells {
			b := openBox(t, file)
			t.Run(b.name+"/"+name, func(t *testing.T) {
				if d := cmp.Diff(string(b.want), string(observe(t, b, shell...))); d != "" {
					t.Errorf("facts differ (-want +got):\n%s", d)
				}
			})
		}
	}
}

package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// TestMain lets more tests wait at once than there are processors: most of their time is spent in polls.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// cut is a step that may have run.
func cut(name string) error { return &guest.OutcomeError{Name: name, Cause: guest.ErrLinkLost} }

// memory is a journal that can refuse; before is called with every entry.
type memory struct {
	mu      sync.Mutex
	entries []Entry
	refuse  func(Entry) error
}

func (m *memory) Record(e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		if err := m.refuse(e); err != nil {
			return err
		}
	}
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) states() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, e := range m.entries {
		out = append(out, e.State)
	}
	return strings.Join(out, " ")
}

// bench is a target with a clock that only waiting moves.
type bench struct {
	*Target
	journal *memory
	said    []string
	printed strings.Builder
	now     time.Time
}

func newBench(g guest.Guest) *bench {
	b := &bench{journal: &memory{}, now: time.Date(2017, 8, 1, 0, 0, 0, 0, time.UTC)}
	b.Target = &Target{Guest: g, Machine: "web", RunID: "0123", Journal: b.journal,
		Progress: func(s string) { b.said = append(b.said, s) },
		Output:   func(s string) { b.printed.WriteString(s) },
		Now:      func() time.Time { return b.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			b.now = b.now.Add(d)
			return ctx.Err()
		}}
	return b
}

// has fails the test unless the error's text holds all parts.
func has(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; expected one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("no %q in the error %q", p, err)
		}
	}
}

// is fails the test unless the error is each of the wanted ones.
func is(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("the error %q is not %q", err, w)
		}
	}
}

package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Default deadlines of the whole probe, without and with the section that talks to repositories.
const (
	DefaultTimeout        = 60 * time.Second
	DefaultTimeoutResolve = 120 * time.Second
)

// Params is what the probe is told from outside. All of it reaches the guest as positional parameters.
type Params struct {
	// Wanted are the synced folders whose guest path, owner and group are looked at.
	Wanted []facts.SyncedFolder
	// User is the login user; empty: whoever the probe runs as, which is only right without Sudo.
	User string
	// Sudo runs the whole probe as root (a guest whose sudo asks for a password). User must be set.
	Sudo bool
	// Candidates are further packages that the resolve section asks for.
	Candidates []string
	// Timeout is the deadline of the whole probe; zero: DefaultTimeout or DefaultTimeoutResolve.
	Timeout time.Duration
	// Slow is what every limit in the guest, and a default deadline, is multiplied by: an emulated or overloaded
	// guest needs more than the usual time for everything. Less than two: nothing is.
	Slow int
}

// Collect runs the probe once, as step "probe", and fills the fields of the asked keys; every other field is
// "not requested". A section that failed, was cut off or ran into its limit makes its own field not collected,
// with the reason, and is no error. The error is non-nil only when the guest sent nothing of the probe at all:
// it is the runner's, or says what came instead. Reach is left alone. now is the host's clock.
func Collect(ctx context.Context, g guest.Runner, keys []facts.Key, p Params, now func() time.Time) (facts.Guest, error) {
	return collect(ctx, g, selected(keys), p, now)
}

func collect(ctx context.Context, g guest.Runner, list []section, p Params, now func() time.Time) (facts.Guest, error) {
	out := unasked()
	if len(list) == 0 {
		return out, nil
	}
	nonce, err := newNonce()
	if err != nil {
		return failAll(out, list, err), err
	}
	text, err := script(nonce, list, p.slow())
	if err != nil {
		return failAll(out, list, err), err
	}
	watch := &arrival{mark: []byte(frameMark + nonce + " end clock "), now: now}
	start := now()
	res, runErr := g.Run(ctx, guest.Cmd{Name: "probe", Script: text, Args: args(p), Sudo: p.Sudo, Timeout: timeout(p, list), Stdout: watch})
	end := now()
	frames, err := Split(nonce, bytes.NewReader(res.Stdout))
	if err != nil {
		return failAll(out, list, err), err
	}
	o := outcome{start: start, arrived: watch.at, took: end.Sub(start), err: runErr, truncated: res.Truncated, stderr: string(res.Stderr), frames: frames}
	if watch.at.IsZero() {
		o.arrived = end
	}
	for _, s := range list {
		s.fill(&out, s, o)
	}
	if len(frames) == 0 {
		return out, nothing(runErr, res)
	}
	return out, nil
}

// outcome is all that the fillers may look at.
type outcome struct {
	start, arrived time.Time
	took           time.Duration
	err            error
	truncated      bool
	stderr         string
	frames         []Frame
}

// selected keeps the order of the sections, whatever the order of the keys.
func selected(keys []facts.Key) []section {
	want := map[facts.Key]bool{}
	for _, k := range keys {
		want[k] = true
	}
	var out []section
	for _, s := range sections() {
		if want[s.key] {
			out = append(out, s)
		}
	}
	return out
}

func timeout(p Params, list []section) time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	if list[len(list)-1].key == facts.KeyResolve {
		return DefaultTimeoutResolve * time.Duration(p.slow())
	}
	return DefaultTimeout * time.Duration(p.slow())
}

func (p Params) slow() int { return max(p.Slow, 1) }

func newNonce() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// unasked has every field that a section can fill marked as not requested.
func unasked() facts.Guest {
	var g facts.Guest
	for _, s := range sections() {
		s.fill(&g, s, outcome{err: errNotRequested})
	}
	return g
}

func failAll(g facts.Guest, list []section, err error) facts.Guest {
	for _, s := range list {
		s.fill(&g, s, outcome{err: err})
	}
	return g
}

var errNotRequested = errors.New("not requested")

// nothing explains a probe of which not one line came back.
func nothing(err error, res guest.Result) error {
	if err != nil {
		return err
	}
	seen := Clean(lastWords(string(append(res.Stdout, res.Stderr...)), 300))
	if seen == "" {
		seen = "nothing"
	}
	return fmt.Errorf("step %q: the guest's sh ended with status %d and printed no section of the probe; expected lines that start with %q, saw: %s",
		"probe", res.Code, frameMark, seen)
}

// arrival notes when a line passes by. It is called by the goroutine that reads the stream, and read after
// Run has returned.
type arrival struct {
	mark []byte
	now  func() time.Time
	at   time.Time
	tail []byte
}

// Write looks for the mark, also across two writes.
func (a *arrival) Write(p []byte) (int, error) {
	if !a.at.IsZero() {
		return len(p), nil
	}
	buf := append(a.tail, p...)
	if bytes.Contains(buf, a.mark) {
		a.at = a.now()
		a.tail = nil
		return len(p), nil
	}
	a.tail = append([]byte(nil), buf[max(0, len(buf)-len(a.mark)):]...)
	return len(p), nil
}

//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

func TestFixWaitsForARunningVagrant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock.machine-action-x.lock")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	streams, _, errs := term.Test("")
	s := &session{a: &app{streams: streams}, progress: streams.NewProgress(),
		inventory: []host.Machine{{Facts: facts.Machine{Name: "web"}, ActionLock: path}}}
	defer s.progress.Close()
	err = s.waitForVagrant(t.Context(), 20*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "vagrant still works on web") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a held lock: %v", err)
	}
	if got := errs.String(); !strings.Contains(got, "A vagrant command works on web right now") {
		t.Errorf("said %q", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.waitForVagrant(t.Context(), time.Second); err != nil {
		t.Errorf("a free lock: %v", err)
	}
}

package cmd

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

// link is a machine that was connected to, or why it was not.
type link struct {
	Name  string
	Guest guest.Guest
	Reach facts.Reach
	Err   error
	// Skipped says that nobody asked for this machine and it is not running: that is no failure.
	Skipped bool
}

// connect dials every guest, at most jobs at a time, in the order of the project. The guests are closed by done.
func (s *session) connect(ctx context.Context, ms []engine.Machine, jobs int) (links []link, done func()) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(jobs)
	links = make([]link, len(ms))
	for i, m := range ms {
		if m.Dial == nil {
			continue
		}
		group.Go(func() error {
			g, reach, err := m.Dial(ctx)
			idle := reach.Class == host.ClassNotRunning || reach.Class == host.ClassNotCreated
			mu.Lock()
			defer mu.Unlock()
			links[i] = link{Name: m.Facts.Name, Guest: g, Reach: reach, Err: err, Skipped: err != nil && idle && !m.Named}
			return nil
		})
	}
	_ = group.Wait() // no function of it fails
	links = slices.DeleteFunc(links, func(l link) bool { return l.Name == "" })
	return links, func() {
		for _, l := range links {
			if l.Guest != nil {
				_ = l.Guest.Close()
			}
		}
	}
}

// errNoGuest means that there is no machine to work on.
var errNoGuest = errors.New("no machine of this project is running")

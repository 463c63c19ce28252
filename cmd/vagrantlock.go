package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/retry"
)

// vagrantWait is how long a fix waits for a vagrant command that works on a machine.
const vagrantWait = 10 * time.Minute

// waitForVagrant returns when no vagrant command works on any of the machines: a guest is not changed under a
// `vagrant up` that is still mounting or provisioning it. It says once what it waits for.
func (s *session) waitForVagrant(ctx context.Context, limit time.Duration) error {
	for _, m := range s.inventory {
		if !m.VagrantWorks() {
			continue
		}
		s.a.say(fmt.Sprintf("A vagrant command works on %s right now; waiting for it, at most %s.", m.Facts.Name, limit))
		s.progress.Set(m.Facts.Name, "waiting for vagrant")
		loop := retry.Loop{First: time.Second, Max: time.Second, Limit: limit}
		err := loop.Do(ctx, func(context.Context) error { return stillWorks(m) })
		s.progress.Set(m.Facts.Name, "")
		if err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	return nil
}

func stillWorks(m host.Machine) error {
	if m.VagrantWorks() {
		return fmt.Errorf("vagrant still works on %s (it holds %s); end it, or run boxdoctor fix again when it is done", m.Facts.Name, m.ActionLock)
	}
	return nil
}

package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// rebootScript asks for a restart that outlives the session: the link is cut before an answer could come. Where
// sudo needs a terminal, the end of the session hangs up whatever does not ignore it.
const rebootScript = `set -u
trap '' HUP
ask() {
	sleep 1
	if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
		systemctl reboot && exit 0
	fi
	shutdown -r now || reboot
}
( ask ) >/dev/null 2>&1 </dev/null &
`

// identityScript tells one boot from another, and what runs.
const identityScript = `cat /proc/sys/kernel/random/boot_id
uname -r
if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
	systemctl is-system-running 2>/dev/null || true
else
	echo running
fi
`

const (
	defaultRebootTimeout = 10 * time.Minute
	// settleFor is how long a guest that answers again may still be starting services.
	settleFor = 2 * time.Minute
)

type identity struct{ bootID, kernel, state string }

func (r Reboot) apply(ctx context.Context, t *Target) error {
	limit := r.Timeout
	if limit == 0 {
		limit = defaultRebootTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before, err := identify(ctx, t)
	if err != nil {
		return fmt.Errorf("reboot: not asked for, because the guest did not tell its boot id: %w", err)
	}
	_, err = t.Guest.Run(ctx, guest.Cmd{Name: "ask for the reboot", Sudo: true, Script: rebootScript, Timeout: 30 * time.Second})
	if err != nil && !errors.Is(err, guest.ErrUnknownOutcome) {
		return err
	}
	after, err := waitOtherBoot(ctx, t, before.bootID, limit)
	if err != nil {
		return err
	}
	if r.WantKernel != "" && after.kernel != r.WantKernel {
		return fmt.Errorf("reboot: the guest came back with kernel %s, wanted %s: its default boot entry is another one "+
			"(look with: sudo grubby --default-kernel)", after.kernel, r.WantKernel)
	}
	return nil
}

// waitOtherBoot returns when a session shows another boot id and the system has settled. An open port is no
// proof: VirtualBox's NAT forward accepts before sshd answers.
func waitOtherBoot(ctx context.Context, t *Target, old string, limit time.Duration) (identity, error) {
	t.say("waiting for the guest to come back")
	var last error
	settled := time.Time{}
	for {
		id, err := freshIdentity(ctx, t)
		switch {
		case err != nil:
			last = err
		case id.bootID == old:
			last = errors.New("it still shows the boot id of before")
		case id.state != "starting" && id.state != "initializing":
			return id, nil
		case settled.IsZero():
			settled = t.now().Add(settleFor)
		case t.now().After(settled):
			return id, nil
		}
		if err := t.sleep(ctx, time.Second); err != nil {
			return identity{}, notBack(err, last, limit)
		}
	}
}

// notBack says that the wait for another boot id ended, by the deadline or by the person.
func notBack(ended, last error, limit time.Duration) error {
	if errors.Is(ended, context.Canceled) {
		return fmt.Errorf("reboot: asked for, but the wait was ended before the guest came back (%w; %w; last look: %v)",
			guest.ErrUnknownOutcome, ended, last)
	}
	return fmt.Errorf("reboot: the guest did not come back with another boot id within %s (%w; %w; last look: %v); "+
		"look at its console in VirtualBox", limit, guest.ErrUnknownOutcome, ended, last)
}

func freshIdentity(ctx context.Context, t *Target) (identity, error) {
	dctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := t.Guest.Reconnect(dctx); err != nil {
		return identity{}, err
	}
	return identify(dctx, t)
}

func identify(ctx context.Context, t *Target) (identity, error) {
	res, err := t.Guest.Run(ctx, guest.Cmd{Name: "read the boot id", Script: identityScript, Timeout: 20 * time.Second})
	if err != nil {
		return identity{}, err
	}
	f := strings.Fields(string(res.Stdout))
	if len(f) < 2 || len(f[0]) != 36 {
		return identity{}, fmt.Errorf("unexpected answer %.80q", res.Stdout)
	}
	id := identity{bootID: f[0], kernel: f[1]}
	if len(f) > 2 {
		id.state = f[2]
	}
	return id, nil
}

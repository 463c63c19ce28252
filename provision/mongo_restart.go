package provision

import (
	"context"
	_ "embed" // the script that restarts
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

//go:embed scripts/mongo_restart.sh
var mongoRestartScript string

// restarts makes mongods take up changed configurations, one after the other: secondaries first, the primary last, after
// it handed over; each must have come back before the next one goes. A set never loses its majority to provisioning.
func (m *mongoStage) restarts(ctx context.Context) error {
	due, err := m.due(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	have := m.look(ctx)
	slices.SortStableFunc(due, func(a, b mongoMember) int { return leads(have, a.host()) - leads(have, b.host()) })
	for _, x := range due {
		start := m.crew.Now()
		if err := m.restart(ctx, x); err != nil {
			return err
		}
		m.add(x.host(), Step{Resource: "mongo/restart/" + x.host(), Result: Changed, DurationMS: m.crew.Now().Sub(start).Milliseconds(),
			Changes: []Record{{What: "mongod", From: "running with its former configuration", To: "restarted"}}}, false)
	}
	return nil
}

func leads(f replset.Facts, host string) int {
	if writable(f) == host {
		return 1
	}
	return 0
}

// look asks all members.
func (m *mongoStage) look(ctx context.Context) replset.Facts {
	var hosts []string
	for _, x := range m.spec.Members {
		hosts = append(hosts, x.host())
	}
	return replset.Observe(ctx, m.doors.Open, hosts, m.admin)
}

// restartArgs are unit, mark and verb.
func restartArgs(x mongoMember, verb string) []string {
	return []string{instanceOf(x, false).Unit, fmt.Sprintf("%s%d", mongoRestart, x.port()), verb}
}

// due are the members with a mark.
func (m *mongoStage) due(ctx context.Context) ([]mongoMember, error) {
	var out []mongoMember
	for _, x := range m.spec.Members {
		_, err := m.crew.Guest(x.Machine).Run(ctx, guest.Cmd{Name: "look whether mongod must restart", Script: mongoRestartScript, Args: restartArgs(x, "check"),
			Sudo: true, Timeout: time.Minute})
		var exit *guest.ExitError
		switch {
		case err == nil:
			out = append(out, x)
		case !errors.As(err, &exit) || exit.Code != 3:
			return nil, err
		}
	}
	return out, nil
}

// restart hands over when this member leads, restarts it, and waits until it is back.
func (m *mongoStage) restart(ctx context.Context, x mongoMember) error {
	have := m.look(ctx)
	formed := writable(have) != ""
	if writable(have) == x.host() && len(m.spec.Members) > 1 && have.Config != nil && len(have.Config.Members) > 1 {
		s := replset.Step{Kind: replset.StepDown, At: x.host(), What: "hand over before " + x.host() + " restarts"}
		if err := m.act(ctx, s, func(ctx context.Context) error { return m.stepDown(ctx, x.host()) }); err != nil {
			return err
		}
	}
	job := action.Job{Name: "restart mongod at " + x.host(), Script: mongoRestartScript, Args: restartArgs(x, "restart"), Timeout: 10 * time.Minute,
		Undo: "nothing is left to take back: the service was only restarted"}
	if err := m.crew.Do(ctx, x.Machine, m.id(), job); err != nil {
		return err
	}
	m.doors.Forget(ctx, x.host())
	return m.back(ctx, x, formed)
}

func (m *mongoStage) stepDown(ctx context.Context, host string) error {
	admin, err := m.doors.Open(ctx, host, m.admin)
	if err == nil {
		_, err = admin.Command(ctx, replset.Step{Kind: replset.StepDown}.Command())
	}
	return err
}

// back waits until the member answers, and, in a set that was formed, until there is a primary and it is no longer behind.
func (m *mongoStage) back(ctx context.Context, x mongoMember, formed bool) error {
	limit := m.crew.Now().Add(electionWait)
	for m.crew.Now().Before(limit) {
		have := m.look(ctx)
		for _, n := range have.Nodes {
			if n.Host == x.host() && n.Err == nil && (!formed || writable(have) != "" && (n.Writable || n.Secondary || n.Arb)) {
				return nil
			}
		}
		m.crew.Progress(x.Machine, "waiting until "+x.host()+" is back")
		if err := m.drive().Sleep(ctx); err != nil {
			return err
		}
	}
	return &replset.StopError{Step: replset.Step{At: x.host(), What: "until " + x.host() + " is back after its restart, in vain; no other member is restarted"}, Quorum: true}
}

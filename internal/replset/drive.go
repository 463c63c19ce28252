package replset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Drive brings a set to its declaration: observe, one step, observe again. It can be cut off anywhere and begun anew.
type Drive struct {
	Want  Set
	Open  Door
	Admin Credential
	// Act makes one command through whoever records changes; run sends it.
	Act func(ctx context.Context, s Step, run func(context.Context) error) error
	// Progress is told what happens now.
	Progress func(host, what string)
	// Election bounds the wait for a primary and every other short one, Sync that for data to be copied.
	Election, Sync time.Duration
	// Pause is the time between two looks.
	Pause time.Duration
	Now   func() time.Time
	// Hosts are further members to ask: a primary that is declared no more.
	Hosts []string
	// Stop ends the drive before its next command; nil: nobody asks.
	Stop <-chan struct{}
}

// Bounds of a run: a set of seven needs some forty steps; one that fails in a way that may pass is tried again.
const (
	maxSteps = 200
	maxTries = 10
)

// StopError is why a set cannot come to its declaration. Quorum: members do not reach each other, or there is no primary;
// who reaches whom is then worth measuring.
type StopError struct {
	Step   Step
	Facts  Facts
	Quorum bool
	Cause  error
}

// Error says why, and what is not done about it.
func (e *StopError) Error() string {
	switch {
	case e.Cause != nil:
		return fmt.Sprintf("%s at %s: %v", e.Step.What, e.Step.At, e.Cause)
	case e.Step.Why != "":
		return e.Step.Why
	}
	return "waited " + e.Step.What
}

// Unwrap is the server's answer.
func (e *StopError) Unwrap() error { return e.Cause }

// Taken is a step that was made.
type Taken struct {
	Step
	Took time.Duration
}

// Run makes steps until nothing differs. What was made is returned whatever the error.
func (d *Drive) Run(ctx context.Context) ([]Taken, Facts, error) {
	var out []Taken
	tries, waiting := map[string]int{}, waits{}
	for sent := 0; sent < maxSteps; { // waits are bounded by their time
		have := Observe(ctx, d.Open, d.hosts(), d.Admin)
		if err := ctx.Err(); err != nil {
			return out, have, err
		}
		if d.meet(have) {
			continue
		}
		s := Next(d.Want, have)
		switch s.Kind {
		case Done:
			return out, have, nil
		case Stop:
			return out, have, &StopError{Step: s, Facts: have}
		case Wait:
			if err := d.wait(ctx, s, have, waiting); err != nil {
				return out, have, err
			}
			continue
		}
		start := d.Now()
		sent++
		err := d.make(ctx, s)
		switch {
		case err == nil:
			out, waiting = append(out, Taken{s, d.Now().Sub(start)}), waits{}
		case !passing(err) || tries[s.What] >= maxTries:
			return out, have, d.failed(s, have, err)
		default:
			tries[s.What]++
			d.say(s.At, s.What+": "+err.Error()+"; looking again")
			if err := d.Sleep(ctx); err != nil {
				return out, have, err
			}
		}
	}
	return out, Facts{}, fmt.Errorf("the set is not as declared after %d steps", maxSteps)
}

// meet adds a primary that the members name and that is not declared: only it can change the set.
func (d *Drive) meet(have Facts) bool {
	if have.primary() != nil {
		return false
	}
	for _, n := range have.Nodes {
		if n.Primary != "" && !slices.ContainsFunc(d.hosts(), func(h string) bool { return same(h, n.Primary) }) && len(d.Hosts) < MaxMembers {
			d.Hosts = append(d.Hosts, n.Primary)
			return true
		}
	}
	return false
}

func (d *Drive) hosts() []string {
	var out []string
	for _, m := range d.Want.Members {
		out = append(out, m.Host)
	}
	for _, h := range d.Hosts {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// waits remembers since when each thing is waited for.
type waits map[string]time.Time

// wait pauses before the next look, within the limit of what is waited for.
func (d *Drive) wait(ctx context.Context, s Step, have Facts, since waits) error {
	key, limit := s.At, d.Election
	if s.Sync {
		key, limit = key+" sync", d.Sync
	}
	if since[key].IsZero() {
		since[key] = d.Now()
	}
	if d.Now().Sub(since[key]) > limit {
		s.What = fmt.Sprintf("%s %s, in vain", limit, s.What)
		return &StopError{Step: s, Facts: have, Quorum: !s.Sync}
	}
	d.say(s.At, "waiting "+s.What)
	return d.Sleep(ctx)
}

// passing tells what another look may find gone: an election in between, a configuration on its way, a cut connection.
func passing(err error) bool {
	var code *CodeError
	if !errors.As(err, &code) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, ErrNotBegun)
	}
	return slices.Contains([]int{CodeConfigInProgress, CodeConfigNotCommitted, CodeNotWritablePrimary, CodePrimarySteppedDown,
		CodeInterruptedRepl, CodeNotPrimaryNoSecondary, codeMaxTime, CodeAlreadyInitialized}, code.Code)
}

// ErrNotBegun is wrapped by what Act returns when it did not send the command and will not.
var ErrNotBegun = errors.New("not begun")

const codeMaxTime = 50

func (d *Drive) failed(s Step, have Facts, err error) error {
	return &StopError{Step: s, Facts: have, Cause: err, Quorum: isCode(err, CodeNodeNotFound, CodeInvalidReplicaConfig)}
}

// reconfigWait is how long a server waits for a majority to take a configuration; without it, forever.
const reconfigWait = 30 * time.Second

// make sends the command of one step.
func (d *Drive) make(ctx context.Context, s Step) error {
	d.say(s.At, s.What)
	as := d.Admin
	if s.Kind == Initiate || s.Kind == FirstUser {
		as = Credential{} // there is nobody yet
	}
	cmd := s.Command()
	if s.Kind == FirstUser {
		cmd = CreateUser(User{Name: d.Admin.User, Password: d.Admin.Password, Roles: []Role{{"root", "admin"}}})
	}
	return d.Act(ctx, s, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, reconfigWait+askLimit)
		defer cancel()
		admin, err := d.enter(ctx, s.At, as)
		if err != nil {
			return err
		}
		_, err = admin.Command(ctx, cmd)
		return err
	})
}

// enter logs in; a set that has no users yet is entered by the exception.
func (d *Drive) enter(ctx context.Context, host string, as Credential) (Admin, error) {
	admin, err := d.Open(ctx, host, as)
	if isCode(err, CodeAuthenticationFailed) && as.User != "" {
		return nil, fmt.Errorf("log in as %s: %w", as.User, err)
	}
	return admin, err
}

// Command is what a step sends; that of a FirstUser holds a password and is made elsewhere.
func (s Step) Command() bson.D {
	switch s.Kind {
	case Initiate:
		return bson.D{{Key: "replSetInitiate", Value: s.Config}}
	case Reconfig:
		return bson.D{{Key: "replSetReconfig", Value: s.Config}, {Key: "maxTimeMS", Value: reconfigWait.Milliseconds()}}
	case WriteConcern:
		return bson.D{{Key: "setDefaultRWConcern", Value: 1}, {Key: "defaultWriteConcern", Value: bson.D{{Key: "w", Value: s.Concern}}},
			{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}
	case StepDown:
		return bson.D{{Key: "replSetStepDown", Value: 60}, {Key: "secondaryCatchUpPeriodSecs", Value: 10}}
	}
	return nil
}

// Text is the command for people and the journal.
func (s Step) Text() string {
	switch s.Kind {
	case Initiate:
		return "replSetInitiate " + s.Config.Text()
	case Reconfig:
		return "replSetReconfig " + s.Config.Text()
	case WriteConcern:
		return fmt.Sprintf("setDefaultRWConcern {defaultWriteConcern: {w: %v}}", s.Concern)
	case StepDown:
		return "replSetStepDown 60 {secondaryCatchUpPeriodSecs: 10}"
	case FirstUser:
		return "createUser {roles: [root], mechanisms: [SCRAM-SHA-256]} (by the localhost exception; the password is not shown)"
	}
	return s.What
}

// Undo is how a person takes the step back.
func (s Step) Undo() string {
	switch s.Kind {
	case Initiate:
		return "stop mongod, empty its dbPath, start it: a set is not un-initiated"
	case Reconfig:
		return "in mongosh on the primary: rs.reconfig() with the document before: " + s.From.Text()
	case WriteConcern:
		return "nothing to do: a default write concern is replaced, not taken away"
	case FirstUser:
		return "in mongosh: db.getSiblingDB('admin').dropUser(NAME)"
	}
	return "nothing is left to take back"
}

func (d *Drive) say(host, what string) {
	if d.Progress != nil {
		d.Progress(host, what)
	}
}

// Sleep pauses between two looks.
func (d *Drive) Sleep(ctx context.Context) error {
	timer := time.NewTimer(d.Pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.Stop:
		return fmt.Errorf("interrupted while it waited: %w", ErrNotBegun)
	case <-timer.C:
		return nil
	}
}

// ForceCommand is what a Forced step sends.
func ForceCommand(s Step) bson.D {
	return bson.D{{Key: "replSetReconfig", Value: s.Config}, {Key: "force", Value: true}}
}

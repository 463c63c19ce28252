package provision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// Waits of the stage. A primary is elected within electionTimeoutMillis (10 s) and a little; data takes its time.
const (
	electionWait = time.Minute
	syncWait     = 30 * time.Minute
	lookPause    = time.Second
)

// mongoStage is the set while a run makes it.
type mongoStage struct {
	spec  *MongoSpec
	crew  *Crew
	doors *mongoadmin.Doors
	admin replset.Credential
	users []replset.User
	kept  string // the file of the administrator's password
	steps []StageStep
	pause time.Duration
}

// stage forms the set once every machine is as declared.
func (v *MongoSpec) stage(in place) (Stage, error) {
	admin, users, err := v.accounts(in.Input)
	return Stage{Name: v.name(), On: v.where(), Run: func(ctx context.Context, crew *Crew) []StageStep {
		m := &mongoStage{spec: v, crew: crew, admin: admin, users: users, kept: in.Vault.Path(admin.User + ".password"), pause: lookPause}
		m.doors = v.doors(crew.Guest)
		defer m.doors.Close(ctx)
		m.run(ctx)
		return m.steps
	}}, err
}

// accounts are the administrator and the further users, with the passwords that are declared or kept.
func (v *MongoSpec) accounts(in Input) (replset.Credential, []replset.User, error) {
	names := v.Users.Names
	if len(names) == 0 {
		names = []string{mongoAdmin}
	}
	var out []replset.User
	for _, name := range names {
		u := v.Users.Of[name]
		password, _, err := in.Secrets.expand(u.Password)
		if err == nil && password == "" {
			password, err = in.Vault.Secret(name+".password", newPassword)
		}
		if err != nil {
			return replset.Credential{}, nil, fmt.Errorf("user %s: %w", name, err)
		}
		user := replset.User{Name: name, Password: password}
		for _, r := range u.Roles {
			user.Roles = append(user.Roles, replset.Role{Role: r.Role, DB: or(r.DB, "admin")})
		}
		out = append(out, user)
	}
	admin := replset.Credential{User: out[0].Name, Password: out[0].Password}
	return admin, out[1:], nil
}

// doors reach every member on its machine's loopback, and others from the first machine that there is.
func (v *MongoSpec) doors(on func(string) guest.Guest) *mongoadmin.Doors {
	d := &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{}}
	for _, m := range v.Members {
		g := on(m.Machine)
		if g == nil {
			continue
		}
		w := mongoadmin.Way{Port: m.port(), Shell: &mongoadmin.Shell{Guest: g}}
		if inside, ok := g.(guest.Dialer); ok {
			w.Dial = inside.DialContext
			if d.Between == nil {
				d.Between = inside.DialContext
			}
		}
		d.Ways[m.host()] = w
	}
	return d
}

func (m *mongoStage) id() string { return "mongo/" + m.spec.Set }

func (m *mongoStage) machineOf(host string) string {
	for _, x := range m.spec.Members {
		if strings.EqualFold(x.host(), host) {
			return x.Machine
		}
	}
	return m.spec.Members[0].Machine
}

func (m *mongoStage) add(host string, s Step, unverified bool) {
	m.steps = append(m.steps, StageStep{Machine: m.machineOf(host), Step: s, Unverified: unverified})
}

// run is the stage: restarts that are due, the set, its users.
func (m *mongoStage) run(ctx context.Context) {
	if m.crew.Check {
		m.plan(ctx)
		return
	}
	if err := m.restarts(ctx); err != nil {
		m.failed(ctx, err, nil)
		return
	}
	made, have, err := m.drive().Run(ctx)
	for _, t := range made {
		m.add(t.At, Step{Resource: m.id(), Result: Changed, Changes: []Record{recordOf(t.Step)}, DurationMS: t.Took.Milliseconds()}, false)
	}
	if err != nil {
		m.failed(ctx, err, made)
		return
	}
	primary := writable(have)
	if len(made) == 0 {
		m.add(primary, Step{Resource: m.id(), Result: OK, Message: fmt.Sprintf("%d members, the primary is %s", len(have.Config.Members), primary)}, false)
	}
	m.makeUsers(ctx, primary)
}

func writable(f replset.Facts) string {
	for _, n := range f.Nodes {
		if n.Writable {
			return n.Host
		}
	}
	return ""
}

// recordOf shows a step with the documents before and after.
func recordOf(s replset.Step) Record {
	r := Record{What: s.What, To: s.Text()}
	if s.From != nil {
		r.Diff = unified("replSetConfig", s.From.Text()+"\n", s.Config.Text()+"\n")
	}
	return r
}

func (m *mongoStage) drive() *replset.Drive {
	return &replset.Drive{Want: m.spec.declaredSet(), Open: m.doors.Open, Admin: m.admin, Election: electionWait, Sync: syncWait, Pause: m.pause,
		Now: m.crew.Now, Stop: m.crew.Stop(), Act: m.act,
		Progress: func(host, what string) { m.crew.Progress(m.machineOf(host), what) }}
}

// act sends one command through the interpreter of changes: the journal has it, and its way back, before it is sent.
func (m *mongoStage) act(ctx context.Context, s replset.Step, send func(context.Context) error) error {
	err := m.crew.Do(ctx, m.machineOf(s.At), m.id(), action.Call{Name: s.What, Text: s.Text(), Undo: s.Undo(), Make: send})
	if errors.Is(err, action.ErrStopped) || errors.Is(err, action.ErrNotRecorded) {
		return fmt.Errorf("%w: %w", replset.ErrNotBegun, err)
	}
	return err
}

// plan shows every document that would be sent. Members that do not run yet are taken for new ones.
func (m *mongoStage) plan(ctx context.Context) {
	var hosts []string
	for _, x := range m.spec.Members {
		hosts = append(hosts, x.host())
	}
	have := replset.Observe(ctx, m.doors.Open, hosts, m.admin)
	waits := ""
	for _, n := range have.Nodes {
		if n.Err != nil {
			waits = "as if " + n.Host + " were new: it does not answer now (" + n.Err.Error() + ")"
		}
	}
	steps := replset.Plan(m.spec.declaredSet(), have)
	for _, s := range steps {
		step := Step{Resource: m.id(), Result: WouldChange, Changes: []Record{recordOf(s)}, Message: waits}
		if s.Kind == replset.Stop || s.Kind == replset.Wait {
			step = Step{Resource: m.id(), Result: Failed, Message: or(s.Why, "it would wait "+s.What)}
		}
		m.add(s.At, step, false)
	}
	primary := writable(have)
	if len(steps) == 0 {
		m.add(primary, Step{Resource: m.id(), Result: OK}, false)
	}
	m.planUsers(ctx, primary)
}

func (m *mongoStage) planUsers(ctx context.Context, primary string) {
	for _, u := range m.users {
		step := Step{Resource: "mongo/user/" + u.Name, Result: MayChange, Message: "waits for the set"}
		if primary != "" {
			c, err := replset.UserDiff(ctx, m.doors.Open, primary, m.admin, u)
			switch {
			case err != nil:
				step.Message = "waits for the set, because now: " + err.Error()
			case c.What == "":
				step = Step{Resource: step.Resource, Result: OK}
			default:
				step = Step{Resource: step.Resource, Result: WouldChange, Changes: []Record{{What: c.What, To: c.Text}}}
			}
		}
		m.add(primary, step, false)
	}
}

// makeUsers brings every user to its roles and its password, and proves it by the same look again.
func (m *mongoStage) makeUsers(ctx context.Context, primary string) {
	for _, u := range m.users {
		id := "mongo/user/" + u.Name
		c, err := replset.UserDiff(ctx, m.doors.Open, primary, m.admin, u)
		if err == nil && c.What == "" {
			m.add(primary, Step{Resource: id, Result: OK}, false)
			continue
		}
		step := Step{Resource: id, Result: Changed, Changes: []Record{{What: c.What, To: c.Text}}}
		if err == nil {
			err = m.crew.Do(ctx, m.machineOf(primary), id, action.Call{Name: c.What + " user " + u.Name, Text: c.Text,
				Undo: "in mongosh: db.getSiblingDB('admin').dropUser('" + u.Name + "'), or its roles as they were",
				Make: func(ctx context.Context) error { return c.Make(ctx, m.doors.Open, primary, m.admin) }})
		}
		if err == nil {
			if again, aerr := replset.UserDiff(ctx, m.doors.Open, primary, m.admin, u); aerr != nil || again.What != "" {
				err = fmt.Errorf("it was changed and still differs: %s %w", again.What, aerr)
			}
		}
		if err != nil {
			step.Result, step.Message = Failed, err.Error()
		}
		m.add(primary, step, false)
	}
}

// failed reports why the set is not as declared; where members do not reach each other, who reaches whom.
func (m *mongoStage) failed(ctx context.Context, err error, made []replset.Taken) {
	text, host := err.Error(), m.spec.Members[0].host()
	var stop *replset.StopError
	if errors.As(err, &stop) {
		host = or(stop.Step.At, host)
		if stop.Quorum && ctx.Err() == nil {
			text += "\n" + m.matrix(ctx)
		}
	}
	if strings.Contains(text, "administrator's password") {
		text += "; tried was the declared password of " + m.admin.User + ", or without one that in " + m.kept + ": put the right one there, or declare it"
	}
	var code *replset.CodeError
	unknown := stop == nil || stop.Cause != nil && !errors.As(stop.Cause, &code)
	if errors.Is(err, replset.ErrNotBegun) {
		unknown = false
	}
	m.add(host, Step{Resource: m.id(), Result: Failed, Message: text}, unknown && len(made) > 0)
}

// reachLimit bounds one attempt of the matrix.
const reachLimit = 5 * time.Second

// matrix measures from inside every machine whether it reaches every member by the name that the set uses.
func (m *mongoStage) matrix(ctx context.Context) string {
	machines := m.spec.where()
	cells := make([][]string, len(machines))
	var wg sync.WaitGroup
	for i, from := range machines {
		cells[i] = make([]string, len(m.spec.Members))
		dial, ok := m.crew.Guest(from).(guest.Dialer)
		for j, to := range m.spec.Members {
			if !ok {
				cells[i][j] = "not measured"
				continue
			}
			wg.Go(func() { cells[i][j] = reaches(ctx, dial, to.host()) })
		}
	}
	wg.Wait()
	var b strings.Builder
	b.WriteString("who reaches whom, measured inside the guests:\n")
	for i, from := range machines {
		fmt.Fprintf(&b, "  %s:", from)
		for j, to := range m.spec.Members {
			fmt.Fprintf(&b, " %s %s;", to.host(), cells[i][j])
		}
		b.WriteString("\n")
	}
	b.WriteString(m.reasons(ctx))
	b.WriteString("look at the names (/etc/hosts), the firewall and the key of what is not reached: boxdoctor check --only mongo")
	return b.String()
}

// reaches is one cell, in a word or two.
func reaches(ctx context.Context, d guest.Dialer, host string) string {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", host)
	if err == nil {
		_ = c.Close()
		return "ok"
	}
	var dns *net.DNSError
	text := err.Error()
	words := [][2]string{{"refused", "REFUSED (mongod is off, or listens elsewhere: bindIp)"}, {"not known", "UNKNOWN NAME"}, {"No address", "UNKNOWN NAME"},
		{"resolve", "UNKNOWN NAME"}, {"No route", "NO ROUTE (firewall?)"}, {"unreachable", "NO ROUTE (firewall?)"}, {"prohibited", "not measured (sshd forbids forwarding)"}}
	if i := slices.IndexFunc(words, func(w [2]string) bool { return strings.Contains(text, w[0]) }); i >= 0 {
		return words[i][1]
	}
	if errors.As(err, &dns) {
		return "UNKNOWN NAME"
	}
	return "NO ANSWER (firewall?)"
}

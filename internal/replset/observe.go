package replset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Admin runs commands on the database admin of one member. An answer that says no is a *CodeError; any other error means
// that there was no answer, and the command may have run.
type Admin interface {
	Command(ctx context.Context, cmd bson.D) (bson.Raw, error)
}

// Credential is a user and its password. The zero value logs nobody in.
type Credential struct{ User, Password string }

// Door opens a connection to a member, logged in or not. Whoever gives it keeps and closes what it opened.
type Door func(ctx context.Context, host string, as Credential) (Admin, error)

// askLimit bounds one question to one member.
const askLimit = 10 * time.Second

// hello is the part of the answer that is looked at; isreplicaset marks a member that was never initiated, or removed.
type hello struct {
	SetName   string   `bson:"setName"`
	Primary   string   `bson:"primary"`
	Me        string   `bson:"me"`
	Writable  bool     `bson:"isWritablePrimary"`
	IsMaster  bool     `bson:"ismaster"`
	Secondary bool     `bson:"secondary"`
	Arbiter   bool     `bson:"arbiterOnly"`
	Hosts     []string `bson:"hosts"`
	Passives  []string `bson:"passives"`
	Arbiters  []string `bson:"arbiters"`
}

// memberStatus is a member in the answer of replSetGetStatus.
type memberStatus struct {
	Name    string    `bson:"name"`
	State   int       `bson:"state"`
	Health  float64   `bson:"health"`
	Message string    `bson:"lastHeartbeatMessage"`
	Optime  time.Time `bson:"optimeDate"`
	Uptime  int64     `bson:"uptime"`
	Source  string    `bson:"syncSourceHost"`
}

type replStatus struct {
	Members []memberStatus `bson:"members"`
}

// Observe asks all hosts at once, and the best of them for the configuration and the state of all.
func Observe(ctx context.Context, open Door, hosts []string, admin Credential) Facts {
	f := Facts{Nodes: make([]Node, len(hosts))}
	seen := make([]seenNode, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() {
			f.Nodes[i], seen[i] = observeNode(ctx, open, host, admin)
		})
	}
	wg.Wait()
	best := -1
	for i, n := range f.Nodes {
		if seen[i].admin != nil && n.Code == 0 && (best < 0 || n.Writable) {
			best = i
		}
	}
	if best >= 0 {
		seen[best].fill(ctx, &f)
	}
	return f
}

// seenNode is how a member was asked.
type seenNode struct {
	admin  Admin
	status replStatus
}

func observeNode(ctx context.Context, open Door, host string, as Credential) (Node, seenNode) {
	n := Node{Host: host}
	anonymous, err := open(ctx, host, Credential{})
	if err != nil {
		n.Err = err
		return n, seenNode{}
	}
	var h hello
	if n.Err = ask(ctx, anonymous, bson.D{{Key: "hello", Value: 1}}, &h); isCode(n.Err, codeNoSuchCommand) { // before 4.4.2
		n.Err = ask(ctx, anonymous, bson.D{{Key: "isMaster", Value: 1}}, &h)
	}
	n.SetName, n.Primary, n.Me, n.Secondary, n.Arb = h.SetName, h.Primary, h.Me, h.Secondary, h.Arbiter
	n.Writable = h.SetName != "" && (h.Writable || h.IsMaster)
	if n.Err != nil || n.Arb { // arbiters hold no users: nobody can log in there
		return n, seenNode{}
	}
	s := seenNode{}
	n.Access, s.admin, n.Code, n.Err = enter(ctx, open, host, as, anonymous, &s.status)
	if n.Access != AccessNone && n.Err == nil {
		var info struct {
			Version string `bson:"version"`
		}
		_ = ask(ctx, s.admin, bson.D{{Key: "buildInfo", Value: 1}}, &info) // unknown counts as old
		n.Version = info.Version
	}
	return n, s
}

const codeNoSuchCommand = 59

// enter logs in, or goes by the localhost exception, and asks for the status: its code says how far the member is.
func enter(ctx context.Context, open Door, host string, as Credential, anonymous Admin, s *replStatus) (Access, Admin, int, error) {
	access, admin := AccessUser, Admin(nil)
	err := &CodeError{Code: CodeAuthenticationFailed}
	var oerr error
	if as.Password != "" {
		admin, oerr = open(ctx, host, as)
	}
	switch {
	case as.Password == "", errors.As(oerr, &err) && err.Code == CodeAuthenticationFailed:
		access, admin = AccessOpen, anonymous
	case oerr != nil:
		return "", nil, 0, oerr
	}
	aerr := ask(ctx, admin, bson.D{{Key: "replSetGetStatus", Value: 1}}, s)
	switch {
	case aerr == nil:
		return access, admin, 0, nil
	case isCode(aerr, CodeUnauthorized) && access == AccessOpen:
		return AccessNone, nil, CodeUnauthorized, nil
	case errors.As(aerr, &err):
		return access, admin, err.Code, nil
	}
	return "", nil, 0, aerr
}

// fill asks for the configuration and takes the states from the status that the member gave.
func (s seenNode) fill(ctx context.Context, f *Facts) {
	for _, m := range s.status.Members {
		f.Status = append(f.Status, Status{Host: m.Name, State: m.State, Healthy: m.Health > 0, Message: m.Message, Optime: m.Optime, Source: m.Source})
	}
	var c struct {
		Config *Config `bson:"config"`
	}
	if err := ask(ctx, s.admin, bson.D{{Key: "replSetGetConfig", Value: 1}}, &c); err == nil {
		f.Config = c.Config
	}
	var rw struct {
		Source  string   `bson:"defaultWriteConcernSource"`
		Concern bson.Raw `bson:"defaultWriteConcern"`
	}
	if err := ask(ctx, s.admin, bson.D{{Key: "getDefaultRWConcern", Value: 1}}, &rw); err == nil {
		f.DefaultWriteConcern = rw.Source == "global" || rw.Source == "" && len(rw.Concern) > 0
	}
}

// ask sends a command and reads its answer.
func ask(ctx context.Context, a Admin, cmd bson.D, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	raw, err := a.Command(ctx, cmd)
	if err != nil {
		return err
	}
	if err := bson.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the answer to %s is not understood: %w", cmd[0].Key, err)
	}
	return nil
}

func isCode(err error, codes ...int) bool {
	var e *CodeError
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// same compares two host names as the server does.
func same(a, b string) bool { return strings.EqualFold(a, b) }

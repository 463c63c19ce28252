package mongotest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// Set is some doubles and what they share. Its exported fields are the script; they are set before a run, or with Lock.
type Set struct {
	// Version is what buildInfo says.
	Version string
	// Name is the name that the members run with.
	Name string
	// LeadAfter is how many looks a chosen primary takes to be one; SyncAfter how many a new member takes to be SECONDARY.
	LeadAfter, SyncAfter int

	mu      sync.Mutex
	servers map[string]*server
	members map[string]*member
	users   map[string]user
	concern bson.Raw
	script  []Fault
	log     []string
	// leader is the primary as the test says, pending the one that becomes it after further looks.
	leader, pending string
	looks           int
	sent            int
	cutAt           int
	cutLate         bool
}

// member is what one double keeps.
type member struct {
	// config is the document that it took; nil: never initiated.
	config *replset.Config
	// syncing counts the looks that are left until SECONDARY.
	syncing int
	down    string
	removed bool
}

type user struct {
	stored scram.StoredCredentials
	roles  []replset.Role
}

// Fault is an answer that a test scripts: to the next Times commands of this name at this member (empty: any).
type Fault struct {
	Host, Command string
	Times         int
	// Code and Message are what the server says. Cut ends the connection instead, before the command is done; Late after.
	Code      int
	Message   string
	Cut, Late bool
}

// New starts doubles that were never initiated, one for each host; the names are only names, they listen on loopback.
func New(t *testing.T, version string, hosts ...string) *Set {
	t.Helper()
	s := &Set{Version: version, Name: "rs0", LeadAfter: 1, SyncAfter: 1, servers: map[string]*server{}, members: map[string]*member{}, users: map[string]user{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	for _, h := range hosts {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &server{host: h, set: s, ln: ln, conns: map[net.Conn]bool{}}
		s.servers[h], s.members[h] = srv, &member{}
		srv.wg.Go(func() { srv.serve(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		for _, srv := range s.servers {
			_ = srv.ln.Close()
			srv.drop()
			srv.wg.Wait()
		}
	})
	return s
}

// Port is where the double of a host listens.
func (s *Set) Port(host string) int { return s.servers[host].ln.Addr().(*net.TCPAddr).Port }

// Dial connects to loopback, as inside every guest.
func (s *Set) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// Script adds faults.
func (s *Set) Script(f ...Fault) { s.mu.Lock(); defer s.mu.Unlock(); s.script = append(s.script, f...) }

// CutAt ends the connection at the nth changing command from now on, before it is done, or after it when late.
func (s *Set) CutAt(n int, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.cutAt, s.cutLate = 0, n, late
}

// Down makes a member answer nobody; the others say message about it. An empty message brings it back.
func (s *Set) Down(host, message string) {
	s.mu.Lock()
	s.members[host].down = message
	s.mu.Unlock()
	s.servers[host].drop()
}

// Lead makes a member the primary, after LeadAfter further looks; none with an empty host.
func (s *Set) Lead(host string) { s.mu.Lock(); defer s.mu.Unlock(); s.lead(host) }

func (s *Set) lead(host string) { s.leader, s.pending, s.looks = "", host, s.LeadAfter }

// Log are the changing commands that were done, "a:1 replSetInitiate".
func (s *Set) Log() []string { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.log) }

// Config is the set's document; nil: none.
func (s *Set) Config() *replset.Config { s.mu.Lock(); defer s.mu.Unlock(); return s.current() }

// Users are the names of all users.
func (s *Set) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for n := range s.users {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// current is the newest document.
func (s *Set) current() *replset.Config {
	var best *replset.Config
	for _, m := range s.members {
		if m.config != nil && (best == nil || m.config.Version > best.Version) {
			best = m.config
		}
	}
	return best
}

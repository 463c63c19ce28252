package replset

import (
	"fmt"
	"time"
)

// Error codes of the server that decide what is done (error_codes.yml).
const (
	CodeUnauthorized          = 13
	CodeAuthenticationFailed  = 18
	CodeAlreadyInitialized    = 23
	CodeNodeNotFound          = 74
	CodeNoReplicationEnabled  = 76
	CodeInvalidReplicaConfig  = 93
	CodeNotYetInitialized     = 94
	CodeIncompatibleConfig    = 103
	CodeConfigInProgress      = 109
	CodeNodeHasData           = 110
	CodeConfigNotCommitted    = 308
	CodeNotWritablePrimary    = 10107
	CodeNotPrimaryNoSecondary = 13435
	CodePrimarySteppedDown    = 189
	CodeInterruptedRepl       = 11602
	CodeUserExists            = 51003
)

// States of members as replSetGetStatus numbers them.
const (
	StatePrimary    = 1
	StateSecondary  = 2
	StateRecovering = 3
	StateStartup2   = 5
	StateUnknown    = 6
	StateArbiter    = 7
	StateDown       = 8
	StateRollback   = 9
	StateRemoved    = 10
)

// CodeError is an answer of the server that says no.
type CodeError struct {
	Code    int
	Name    string
	Message string
}

// Error is the code with the server's own words.
func (e *CodeError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s (code %d)", e.Message, e.Code)
	}
	return fmt.Sprintf("%s (%d %s)", e.Message, e.Code, e.Name)
}

// Access is what boxdoctor may do at a member.
type Access string

// Kinds of access.
const (
	// AccessUser: logged in as the administrator.
	AccessUser Access = "user"
	// AccessOpen: no user yet; the localhost exception, or no authorization at all, lets boxdoctor in.
	AccessOpen Access = "open"
	// AccessNone: the administrator's password was refused and there is no exception.
	AccessNone Access = "none"
)

// Node is what one declared member said of itself.
type Node struct {
	Host string
	// Err: it could not be asked at all.
	Err error
	// SetName, Primary and Me are from hello; Primary is whom it takes for the primary.
	SetName, Primary, Me     string
	Writable, Secondary, Arb bool
	// Code is what replSetGetStatus answered, 0 for a status.
	Code   int
	Access Access
	// Version is the server's, "8.0.4"; empty when it is not told.
	Version string
}

// Status is what the primary, or any member, says of one member.
type Status struct {
	Host    string
	State   int
	Healthy bool
	// Message is the heartbeat's, Source whom it copies from, Optime its last operation.
	Message, Source string
	Optime          time.Time
}

// Facts are everything that was observed of a set.
type Facts struct {
	Nodes []Node
	// Config is the document of the primary, or the newest of a member; nil: nobody has one, or nobody may say.
	Config *Config
	// Status by members of Config.
	Status []Status
	// DefaultWriteConcern: a write concern was set for the whole set.
	DefaultWriteConcern bool
}

// node finds what a member said.
func (f Facts) node(host string) *Node {
	for i := range f.Nodes {
		if same(f.Nodes[i].Host, host) {
			return &f.Nodes[i]
		}
	}
	return nil
}

// primary is the member that can be written to, by its own word.
func (f Facts) primary() *Node {
	for i := range f.Nodes {
		if f.Nodes[i].Writable {
			return &f.Nodes[i]
		}
	}
	return nil
}

// state is that of a member; StateUnknown when nobody said.
func (f Facts) state(host string) Status {
	for _, s := range f.Status {
		if same(s.Host, host) {
			return s
		}
	}
	return Status{Host: host, State: StateUnknown}
}

// StateName is the word for a state.
func StateName(state int) string {
	names := map[int]string{0: "STARTUP", StatePrimary: "PRIMARY", StateSecondary: "SECONDARY", StateRecovering: "RECOVERING", StateStartup2: "STARTUP2",
		StateUnknown: "UNKNOWN", StateArbiter: "ARBITER", StateDown: "DOWN", StateRollback: "ROLLBACK", StateRemoved: "REMOVED"}
	if n := names[state]; n != "" {
		return n
	}
	return fmt.Sprintf("state %d", state)
}

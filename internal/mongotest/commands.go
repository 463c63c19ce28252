package mongotest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// link is one connection: whether it is logged in, and how far a login is.
type link struct {
	server *server
	login  *scram.ServerConversation
	user   string
}

// free are the commands that need no login (manual: hello, ping, buildInfo before 8.1, the SASL commands).
var free = []string{"hello", "isMaster", "ismaster", "ping", "buildInfo", "saslStart", "saslContinue", "connectionStatus", "endSessions"}

// changing are the commands that are logged and counted for cuts.
var changing = []string{"replSetInitiate", "replSetReconfig", "replSetStepDown", "createUser", "updateUser", "setDefaultRWConcern"}

// run answers one command. cut: the connection ends without an answer.
func (l *link) run(cmd bson.Raw) (reply bson.D, cut bool) {
	s := l.server.set
	s.mu.Lock()
	defer s.mu.Unlock()
	elements, err := cmd.Elements()
	if err != nil || len(elements) == 0 {
		return fail(&replset.CodeError{Code: 9, Name: "FailedToParse", Message: "no command"}), false
	}
	name := elements[0].Key()
	if s.members[l.server.host].down != "" {
		return nil, true
	}
	f := s.take(l.server.host, name)
	switch {
	case f != nil && f.Cut && !f.Late:
		return nil, true
	case f != nil && f.Code != 0:
		return fail(&replset.CodeError{Code: f.Code, Message: f.Message}), false
	}
	cutNow := s.counted(name)
	if cutNow && !s.cutLate {
		return nil, true
	}
	body, err := l.do(name, cmd)
	if err != nil {
		return fail(err), false
	}
	if slices.Contains(changing, name) {
		s.log = append(s.log, l.server.host+" "+name)
	}
	return append(body, bson.E{Key: "ok", Value: 1.0}), cutNow || f != nil && f.Late
}

// counted tells whether the connection is to be cut at this command.
func (s *Set) counted(name string) bool {
	if !slices.Contains(changing, name) {
		return false
	}
	s.sent++
	return s.sent == s.cutAt
}

// take is the fault that the script holds for this command, once.
func (s *Set) take(host, name string) *Fault {
	for i := range s.script {
		f := &s.script[i]
		if f.Times > 0 && f.Command == name && (f.Host == "" || f.Host == host) {
			f.Times--
			out := *f
			return &out
		}
	}
	return nil
}

func fail(err error) bson.D {
	e := &replset.CodeError{Code: 1, Name: "InternalError", Message: err.Error()}
	errors.As(err, &e)
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: e.Message}, {Key: "code", Value: int32(e.Code)}, {Key: "codeName", Value: e.Name}}
}

func no(code int, name, format string, a ...any) error {
	return &replset.CodeError{Code: code, Name: name, Message: fmt.Sprintf(format, a...)}
}

// do runs one command; the set is locked.
func (l *link) do(name string, cmd bson.Raw) (bson.D, error) {
	if err := l.allowed(name); err != nil {
		return nil, err
	}
	commands := map[string]func(bson.Raw) (bson.D, error){
		"hello": l.hello, "isMaster": l.hello, "ismaster": l.hello,
		"ping": nothing, "endSessions": nothing, "connectionStatus": nothing, "buildInfo": l.buildInfo,
		"saslStart": l.saslStart, "saslContinue": l.saslContinue,
		"replSetGetStatus": l.status, "replSetGetConfig": l.getConfig, "replSetInitiate": l.initiate, "replSetReconfig": l.reconfig,
		"replSetStepDown": l.stepDown, "getDefaultRWConcern": l.getConcern, "setDefaultRWConcern": l.setConcern,
		"createUser": l.createUser, "updateUser": l.updateUser, "usersInfo": l.usersInfo,
	}
	f, ok := commands[name]
	if !ok {
		return nil, no(59, "CommandNotFound", "no such command: '%s'", name)
	}
	return f(cmd)
}

// allowed is authorization: everything is allowed to whoever logged in, and, as long as there are no users, to
// whoever comes by loopback (manual: localhost exception).
func (l *link) allowed(name string) error {
	if slices.Contains(free, name) || l.user != "" || !l.server.set.hasUsers(l.server.host) {
		return nil
	}
	return no(replset.CodeUnauthorized, "Unauthorized", "command %s requires authentication", name)
}

// hasUsers: users are data, so a member has them once it copied the data; an arbiter never.
func (s *Set) hasUsers(host string) bool {
	m := s.members[host]
	return len(s.users) > 0 && m.config != nil && m.syncing == 0
}

func nothing(bson.Raw) (bson.D, error) { return nil, nil }

func (l *link) buildInfo(bson.Raw) (bson.D, error) {
	return bson.D{{Key: "version", Value: l.server.set.Version}}, nil
}

// self is the member's own entry; nil: it is in no document.
func (s *Set) self(host string) *replset.MemberConfig {
	m := s.members[host]
	if m.config == nil || m.removed {
		return nil
	}
	for i := range m.config.Members {
		if m.config.Members[i].Host == host {
			return &m.config.Members[i]
		}
	}
	return nil
}

// hello (manual, hello): a member without a configuration says isreplicaset.
func (l *link) hello(bson.Raw) (bson.D, error) {
	s := l.server.set
	s.look()
	me := s.self(l.server.host)
	out := bson.D{{Key: "helloOk", Value: true}, {Key: "maxWireVersion", Value: int32(25)}, {Key: "minWireVersion", Value: int32(0)},
		{Key: "maxBsonObjectSize", Value: int32(16 << 20)}, {Key: "maxMessageSizeBytes", Value: int32(maxMessage)}, {Key: "maxWriteBatchSize", Value: int32(100000)}}
	if me == nil {
		return append(out, bson.E{Key: "isWritablePrimary", Value: false}, bson.E{Key: "ismaster", Value: false}, bson.E{Key: "secondary", Value: false},
			bson.E{Key: "isreplicaset", Value: true}, bson.E{Key: "info", Value: "Does not have a valid replica set config"}), nil
	}
	leads := s.leader == l.server.host
	var hosts bson.A
	for _, m := range s.current().Members {
		hosts = append(hosts, m.Host)
	}
	out = append(out, bson.E{Key: "setName", Value: s.Name}, bson.E{Key: "me", Value: l.server.host}, bson.E{Key: "hosts", Value: hosts},
		bson.E{Key: "isWritablePrimary", Value: leads}, bson.E{Key: "ismaster", Value: leads},
		bson.E{Key: "secondary", Value: !leads && !me.Arbiter && s.members[l.server.host].syncing == 0}, bson.E{Key: "arbiterOnly", Value: me.Arbiter})
	if s.leader != "" {
		out = append(out, bson.E{Key: "primary", Value: s.leader})
	}
	return out, nil
}

// look counts towards what the script says happens after some looks.
func (s *Set) look() {
	if s.pending == "" {
		return
	}
	if s.looks--; s.looks < 0 {
		s.leader, s.pending = s.pending, ""
	}
}

// status (manual, replSetGetStatus; error codes 94 and 93).
func (l *link) status(bson.Raw) (bson.D, error) {
	s := l.server.set
	switch m := s.members[l.server.host]; {
	case m.config == nil:
		return nil, no(replset.CodeNotYetInitialized, "NotYetInitialized", "no replset config has been received")
	case s.self(l.server.host) == nil:
		return nil, no(replset.CodeInvalidReplicaConfig, "InvalidReplicaSetConfig", "Our replica set config is invalid or we are not a member of it")
	}
	var ms bson.A
	for _, m := range s.current().Members {
		state, health, text := s.stateOf(m)
		ms = append(ms, bson.D{{Key: "_id", Value: m.ID}, {Key: "name", Value: m.Host}, {Key: "state", Value: int32(state)}, {Key: "health", Value: health},
			{Key: "lastHeartbeatMessage", Value: text}})
	}
	return bson.D{{Key: "set", Value: s.Name}, {Key: "members", Value: ms}}, nil
}

func (s *Set) stateOf(m replset.MemberConfig) (state int, health float64, text string) {
	known := s.members[m.Host]
	switch {
	case known == nil:
		return replset.StateDown, 0, "Error connecting to " + m.Host + " :: caused by :: Could not find address"
	case known.down != "":
		return replset.StateDown, 0, known.down
	case s.leader == m.Host:
		return replset.StatePrimary, 1, ""
	case m.Arbiter:
		return replset.StateArbiter, 1, ""
	case known.syncing > 0:
		known.syncing--
		return replset.StateStartup2, 1, ""
	}
	return replset.StateSecondary, 1, ""
}

func (l *link) getConfig(bson.Raw) (bson.D, error) {
	c := l.server.set.members[l.server.host].config
	if c == nil {
		return nil, no(replset.CodeNotYetInitialized, "NotYetInitialized", "no replset config has been received")
	}
	return bson.D{{Key: "config", Value: c}}, nil
}

package mongotest

import (
	"crypto/rand"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// userCommand is createUser or updateUser.
type userCommand struct {
	Create     string         `bson:"createUser"`
	Update     string         `bson:"updateUser"`
	Password   string         `bson:"pwd"`
	Roles      []replset.Role `bson:"roles"`
	Mechanisms []string       `bson:"mechanisms"`
}

// createUser (manual): on the primary; a name that is taken is code 51003.
func (l *link) createUser(cmd bson.Raw) (bson.D, error) {
	s := l.server.set
	var q userCommand
	if err := bson.Unmarshal(cmd, &q); err != nil {
		return nil, err
	}
	if s.leader != l.server.host {
		return nil, no(replset.CodeNotWritablePrimary, "NotWritablePrimary", "not primary")
	}
	if _, taken := s.users[q.Create]; taken {
		return nil, no(replset.CodeUserExists, "Location51003", "User \"%s@admin\" already exists", q.Create)
	}
	return nil, s.store(q.Create, q)
}

func (l *link) updateUser(cmd bson.Raw) (bson.D, error) {
	var q userCommand
	if err := bson.Unmarshal(cmd, &q); err != nil {
		return nil, err
	}
	if _, known := l.server.set.users[q.Update]; !known {
		return nil, no(11, "UserNotFound", "Could not find user \"%s\" for db \"admin\"", q.Update)
	}
	return nil, l.server.set.store(q.Update, q)
}

// iterations is the least that the server takes for SCRAM-SHA-256 in tests of its own; a real one takes 15000.
const iterations = 5000

func (s *Set) store(name string, q userCommand) error {
	u := s.users[name]
	if q.Password != "" {
		client, err := scram.SHA256.NewClient(name, q.Password, "")
		if err != nil {
			return err
		}
		salt := make([]byte, 28)
		_, _ = rand.Read(salt) // never fails
		u.stored, err = client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
		if err != nil {
			return err
		}
	}
	if q.Roles != nil {
		u.roles = q.Roles
	}
	s.users[name] = u
	return nil
}

func (l *link) usersInfo(cmd bson.Raw) (bson.D, error) {
	name, _ := cmd.Lookup("usersInfo", "user").StringValueOK()
	out := bson.A{}
	if u, ok := l.server.set.users[name]; ok {
		out = append(out, bson.D{{Key: "user", Value: name}, {Key: "db", Value: "admin"}, {Key: "roles", Value: u.roles}})
	}
	return bson.D{{Key: "users", Value: out}}, nil
}

// saslStart and saslContinue are SCRAM-SHA-256 as RFC 7677 has it, by the library that drivers use.
func (l *link) saslStart(cmd bson.Raw) (bson.D, error) {
	s := l.server.set
	server, err := scram.SHA256.NewServer(func(name string) (scram.StoredCredentials, error) {
		u, ok := s.users[name]
		if !ok || !s.hasUsers(l.server.host) {
			return scram.StoredCredentials{}, errNoUser
		}
		return u.stored, nil
	})
	if err != nil {
		return nil, err
	}
	l.login = server.NewConversation()
	return l.saslContinue(cmd)
}

var errNoUser = no(replset.CodeAuthenticationFailed, "AuthenticationFailed", "Authentication failed.")

func (l *link) saslContinue(cmd bson.Raw) (bson.D, error) {
	_, payload, ok := cmd.Lookup("payload").BinaryOK()
	if !ok || l.login == nil {
		return nil, errNoUser
	}
	if l.login.Done() {
		return bson.D{{Key: "conversationId", Value: int32(1)}, {Key: "done", Value: true}, {Key: "payload", Value: []byte{}}}, nil
	}
	text, err := l.login.Step(string(payload))
	if err != nil {
		l.login = nil
		return nil, errNoUser
	}
	if l.login.Valid() {
		l.user = l.login.Username()
	}
	return bson.D{{Key: "conversationId", Value: int32(1)}, {Key: "done", Value: l.login.Done()}, {Key: "payload", Value: []byte(text)}}, nil
}

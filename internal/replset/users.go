package replset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Role is a role of a user in a database.
type Role struct {
	Role string `bson:"role" yaml:"role"`
	DB   string `bson:"db" yaml:"db"`
}

// User is a user as it is declared. All of them live in the database admin.
type User struct {
	Name, Password string
	Roles          []Role
}

// UserChange is what a user needs; empty What: nothing.
type UserChange struct {
	What string
	Text string
	cmd  bson.D
}

// CreateUser is the command; SCRAM-SHA-256 only, so that no weaker hash of the password is kept.
func CreateUser(u User) bson.D {
	return bson.D{{Key: "createUser", Value: u.Name}, {Key: "pwd", Value: u.Password}, {Key: "roles", Value: u.Roles},
		{Key: "mechanisms", Value: bson.A{"SCRAM-SHA-256"}}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}}
}

// UserDiff says what a user needs: it logs in as the user, and compares the roles. A password is never read, and never
// set again when it works.
func UserDiff(ctx context.Context, open Door, primary string, admin Credential, u User) (UserChange, error) {
	a, err := open(ctx, primary, admin)
	if err != nil {
		return UserChange{}, err
	}
	var got struct {
		Users []struct {
			Roles []Role `bson:"roles"`
		} `bson:"users"`
	}
	if err := ask(ctx, a, bson.D{{Key: "usersInfo", Value: bson.D{{Key: "user", Value: u.Name}, {Key: "db", Value: "admin"}}}}, &got); err != nil {
		return UserChange{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	if len(got.Users) == 0 {
		return UserChange{What: "create", Text: "createUser " + u.text(), cmd: CreateUser(u)}, nil
	}
	cmd := bson.D{{Key: "updateUser", Value: u.Name}}
	var what []string
	works, err := logsIn(ctx, open, primary, u)
	if err != nil {
		return UserChange{}, err
	}
	if !works {
		what = append(what, "password")
		cmd = append(cmd, bson.E{Key: "pwd", Value: u.Password}, bson.E{Key: "mechanisms", Value: bson.A{"SCRAM-SHA-256"}})
	}
	if !sameRoles(got.Users[0].Roles, u.Roles) {
		what = append(what, "roles")
		cmd = append(cmd, bson.E{Key: "roles", Value: u.Roles})
	}
	if len(what) == 0 {
		return UserChange{}, nil
	}
	return UserChange{What: "set " + strings.Join(what, " and "), Text: "updateUser " + u.text(), cmd: cmd}, nil
}

func (u User) text() string {
	var roles []string
	for _, r := range u.Roles {
		roles = append(roles, r.Role+"@"+r.DB)
	}
	return fmt.Sprintf("%s {roles: [%s]} (the password is not shown)", u.Name, strings.Join(roles, ", "))
}

func logsIn(ctx context.Context, open Door, host string, u User) (bool, error) {
	a, err := open(ctx, host, Credential{u.Name, u.Password})
	if err == nil {
		_, err = a.Command(ctx, bson.D{{Key: "connectionStatus", Value: 1}})
	}
	var code *CodeError
	if errors.As(err, &code) && code.Code == CodeAuthenticationFailed {
		return false, nil
	}
	return err == nil, err
}

func sameRoles(have, want []Role) bool {
	return len(have) == len(want) && !slices.ContainsFunc(want, func(r Role) bool { return !slices.Contains(have, r) })
}

// Make sends the change.
func (c UserChange) Make(ctx context.Context, open Door, primary string, admin Credential) error {
	a, err := open(ctx, primary, admin)
	if err != nil {
		return err
	}
	_, err = a.Command(ctx, c.cmd)
	return err
}

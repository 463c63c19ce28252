// Package mongoadmin runs administration commands on one MongoDB server: with the official driver through a connection
// that somebody else opens (the SSH connection to the guest), or, where forwarding is forbidden or the server is too old
// for the driver, with the guest's own shell, which gets everything on its standard input.
package mongoadmin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// Dial opens a connection as seen from the guest.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Limits of the driver: a member that does not answer must not hold up the others.
const (
	connectLimit = 5 * time.Second
	selectLimit  = 6 * time.Second
)

// server is one connected client of the driver.
type server struct{ client *mongo.Client }

var _ replset.Admin = server{}

// dialer is Dial as the driver wants it.
type dialer Dial

// DialContext opens one connection.
func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

// connect makes a client of exactly this server: without SetDirect the driver would follow the names that the members
// call each other by, which mean nothing here (D8).
func connect(ctx context.Context, dial Dial, addr string, as replset.Credential) (server, error) {
	if err := answers(ctx, dial, addr); err != nil {
		return server{}, err
	}
	o := options.Client().SetHosts([]string{addr}).SetDirect(true).SetDialer(dialer(dial)).SetAppName("boxdoctor").
		SetConnectTimeout(connectLimit).SetServerSelectionTimeout(selectLimit).SetServerMonitoringMode("poll").
		SetMaxPoolSize(2).SetRetryReads(false).SetRetryWrites(false)
	if as.User != "" {
		o.SetAuth(options.Credential{AuthMechanism: "SCRAM-SHA-256", AuthSource: "admin", Username: as.User, Password: as.Password})
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return server{}, err
	}
	s := server{client}
	if _, err := s.Command(ctx, bson.D{{Key: "ping", Value: 1}}); err != nil {
		s.close(ctx)
		return server{}, err
	}
	return s, nil
}

// answers tells at once whether anything listens: the driver would try again until its time is over.
func answers(ctx context.Context, dial Dial, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	c, err := dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// Command runs one command on the database admin.
func (s server) Command(ctx context.Context, cmd bson.D) (bson.Raw, error) {
	raw, err := s.client.Database("admin").RunCommand(ctx, cmd).Raw()
	return raw, explain(err)
}

func (s server) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectLimit)
	defer cancel()
	_ = s.client.Disconnect(ctx) // what is left ends with the connection that carries it
}

// explain turns what the server said into its code; the rest stays as it is: nobody answered.
func explain(err error) error {
	var ce mongo.CommandError
	if errors.As(err, &ce) && ce.Code != 0 {
		return &replset.CodeError{Code: int(ce.Code), Name: ce.Name, Message: ce.Message}
	}
	return err
}

// Way is how one member is reached.
type Way struct {
	// Dial opens a connection inside the machine; nil: only the shell is tried.
	Dial Dial
	// Port is the member's on the machine's loopback.
	Port int
	// Shell runs the guest's own client where the driver cannot; nil: there is none.
	Shell *Shell
}

// Doors opens and keeps connections to members, one for each member and user.
type Doors struct {
	// Ways are those to the members, by their host.
	Ways map[string]Way
	// Between connects from inside any machine of the set to another member by its name; nil: there is no such way.
	Between Dial

	mu   sync.Mutex
	open map[key]replset.Admin
}

type key struct {
	host string
	as   replset.Credential
}

// Open is a connection to a member; an open one is used again.
func (d *Doors) Open(ctx context.Context, host string, as replset.Credential) (replset.Admin, error) {
	k := key{host, as}
	d.mu.Lock()
	a, ok := d.open[k]
	d.mu.Unlock()
	if ok {
		return a, nil
	}
	a, err := d.enter(ctx, host, as)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[key]replset.Admin{}
	}
	d.open[k] = a
	return a, nil
}

// enter goes to a member on its machine, or, when that is not one of this run, from another member's.
func (d *Doors) enter(ctx context.Context, host string, as replset.Credential) (replset.Admin, error) {
	if w, ok := d.Ways[host]; ok {
		return w.enter(ctx, as)
	}
	if d.Between == nil {
		return nil, fmt.Errorf("%s is on no machine of this run", host)
	}
	return connect(ctx, d.Between, host, as)
}

// enter connects with the driver; where the guest forbids forwarding, or the server is older than the driver knows, with
// the shell.
func (w Way) enter(ctx context.Context, as replset.Credential) (replset.Admin, error) {
	if w.Dial == nil {
		return w.Shell.enter(ctx, w.Port, as)
	}
	s, err := connect(ctx, w.Dial, fmt.Sprintf("127.0.0.1:%d", w.Port), as)
	if err == nil {
		return s, nil
	}
	if w.Shell != nil && forShell(err) {
		return w.Shell.enter(ctx, w.Port, as)
	}
	return nil, err
}

// Close ends all connections.
func (d *Doors) Close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, a := range d.open {
		if s, ok := a.(server); ok {
			s.close(ctx)
		}
		delete(d.open, k)
	}
}

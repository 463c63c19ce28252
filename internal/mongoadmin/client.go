package mongoadmin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// From is where an application stands: this host, or a machine.
type From struct {
	Name string
	// Resolve gives the addresses of a name there.
	Resolve func(ctx context.Context, name string) ([]string, error)
	Dial    Dial
}

// Seed is one name, as the application sees it.
type Seed struct {
	Host string `json:"host"`
	// InURI and InSet tell where it stands: in the connection string, in the set's configuration.
	InURI     bool     `json:"in_uri"`
	InSet     bool     `json:"in_set"`
	Addresses []string `json:"addresses"`
	// ConnectMS is how long a connection takes, HelloMS the first answer, -1 without one; Error is why there is none.
	ConnectMS int64  `json:"connect_ms"`
	HelloMS   int64  `json:"hello_ms"`
	Error     string `json:"error"`
	Primary   bool   `json:"primary"`
	// Names is the primary that it names.
	Names string `json:"names"`
}

// View is what an application sees of a set from one place.
type View struct {
	SchemaVersion int    `json:"schema_version"`
	From          string `json:"from"`
	Set           string `json:"set"`
	Seeds         []Seed `json:"seeds"`
	// PrimaryMS is how long finding the primary takes from the connection string; -1: it is not found.
	PrimaryMS int64    `json:"primary_ms"`
	Problems  []string `json:"problems"`
	Advice    []string `json:"advice"`
	// URI is the connection string to use, without a user.
	URI      string `json:"uri"`
	ExitCode int    `json:"exit_code"`
}

// Times of drivers where the connection string says none (specification of server selection).
const (
	defaultConnect = 30 * time.Second
	defaultSelect  = 30 * time.Second
)

// clientURI is what counts of a connection string.
type clientURI struct {
	hosts           []string
	set             string
	connect, choose time.Duration
	direct          bool
}

func parseURI(text string) (clientURI, error) {
	if strings.HasPrefix(text, "mongodb+srv://") {
		return clientURI{}, errors.New("mongodb+srv is resolved by DNS alone; give the names that it stands for: mongodb://NAME,…")
	}
	o := options.Client().ApplyURI(text)
	if err := o.Validate(); err != nil {
		return clientURI{}, errors.New("it is no connection string: mongodb://HOST[:PORT],…/?replicaSet=NAME") // the text may hold a password
	}
	if o.TLSConfig != nil {
		return clientURI{}, errors.New("connections with TLS are not looked at")
	}
	u := clientURI{connect: defaultConnect, choose: defaultSelect}
	for _, h := range o.Hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), "27017")
		}
		u.hosts = append(u.hosts, h)
	}
	if o.ReplicaSet != nil {
		u.set = *o.ReplicaSet
	}
	if o.ConnectTimeout != nil {
		u.connect = *o.ConnectTimeout
	}
	if o.ServerSelectionTimeout != nil {
		u.choose = *o.ServerSelectionTimeout
	}
	u.direct = o.Direct != nil && *o.Direct
	return u, nil
}

// Look sees a set as a driver does: the seeds of the connection string first, then the names that the set itself gives, and
// only those count from then on.
func Look(ctx context.Context, from From, uri string) (View, error) {
	u, err := parseURI(uri)
	if err != nil {
		return View{}, err
	}
	v := View{SchemaVersion: 1, From: from.Name, PrimaryMS: -1, Seeds: []Seed{}, Problems: []string{}, Advice: []string{}}
	first := lookAt(ctx, from, u.hosts)
	var inSet []string
	for _, s := range first {
		if len(inSet) == 0 {
			inSet, v.Set = s.members, s.set
		}
	}
	var further []string
	for _, h := range inSet {
		if !slices.ContainsFunc(u.hosts, func(x string) bool { return strings.EqualFold(x, h) }) {
			further = append(further, h)
		}
	}
	for i, s := range append(first, lookAt(ctx, from, further)...) {
		s.InURI = i < len(first)
		s.InSet = slices.ContainsFunc(inSet, func(x string) bool { return strings.EqualFold(x, s.Host) })
		v.Seeds = append(v.Seeds, s.Seed)
	}
	v.judge(u, inSet)
	return v, nil
}

// seedSeen is a seed and what it says of its set.
type seedSeen struct {
	Seed
	set     string
	members []string
}

func lookAt(ctx context.Context, from From, hosts []string) []seedSeen {
	out := make([]seedSeen, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() { out[i] = lookAtOne(ctx, from, h) })
	}
	wg.Wait()
	return out
}

func lookAtOne(ctx context.Context, from From, host string) seedSeen {
	s := seedSeen{Seed: Seed{Host: host, Addresses: []string{}, ConnectMS: -1, HelloMS: -1}}
	name, _, _ := net.SplitHostPort(host)
	ctx, cancel := context.WithTimeout(ctx, 2*connectLimit)
	defer cancel()
	addresses, err := from.Resolve(ctx, name)
	if err != nil || len(addresses) == 0 {
		s.Error = "the name is not known there"
		return s
	}
	s.Addresses = addresses
	start := time.Now()
	if err := answers(ctx, from.Dial, host); err != nil {
		s.Error = err.Error()
		return s
	}
	s.ConnectMS = time.Since(start).Milliseconds()
	start = time.Now()
	admin, err := connect(ctx, from.Dial, host, replset.Credential{})
	if err != nil {
		s.Error = "it answers, but not as MongoDB does: " + err.Error()
		return s
	}
	defer admin.close(ctx)
	s.HelloMS = time.Since(start).Milliseconds()
	s.read(ctx, admin)
	return s
}

// read takes from hello what a driver takes: the members by their names, and the primary.
func (s *seedSeen) read(ctx context.Context, a replset.Admin) {
	var h struct {
		Set      string   `bson:"setName"`
		Primary  string   `bson:"primary"`
		Writable bool     `bson:"isWritablePrimary"`
		Hosts    []string `bson:"hosts"`
		Passives []string `bson:"passives"`
		Arbiters []string `bson:"arbiters"`
	}
	raw, err := a.Command(ctx, bson.D{{Key: "hello", Value: 1}})
	if err == nil {
		err = bson.Unmarshal(raw, &h)
	}
	if err != nil {
		s.Error = err.Error()
		return
	}
	s.set, s.Names, s.Primary = h.Set, h.Primary, h.Writable
	s.members = slices.Concat(h.Hosts, h.Passives, h.Arbiters)
	if i := slices.IndexFunc(append(slices.Clone(s.members), s.set), func(n string) bool { return !plainName.MatchString(n) }); i >= 0 || len(s.members) > replset.MaxMembers {
		s.set, s.members, s.Error = "", nil, "it names members that are no names of hosts"
	}
}

// plainName is what stands in the connection string that people copy: a server's word is not believed.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.:\[\]-]{0,255}$`)

// judge says what costs the application time, and which connection string does not.
func (v *View) judge(u clientURI, inSet []string) {
	problem := func(format string, a ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, a...)) }
	v.findPrimary(u)
	for _, s := range v.Seeds {
		switch {
		case s.Error != "" && s.InURI:
			problem("%s of the connection string cannot be used (%s): while it is tried, up to connectTimeoutMS (%d ms) pass at each start and each reconnect", s.Host, s.Error, u.connect.Milliseconds())
		case s.Error != "":
			problem("%s is a member by this name, which cannot be used from here (%s): if it becomes the primary, every operation waits serverSelectionTimeoutMS (%d ms) and fails", s.Host, s.Error, u.choose.Milliseconds())
		case s.InURI && !s.InSet && len(inSet) > 0:
			problem("%s is not a name of the set's own (%s): the driver connects, learns the names, drops this connection and connects again: about %d ms each time", s.Host, strings.Join(inSet, ", "), s.ConnectMS+s.HelloMS)
		}
	}
	if v.PrimaryMS < 0 {
		problem("no primary is found from here: every operation fails after serverSelectionTimeoutMS (%d ms)", u.choose.Milliseconds())
	}
	if u.set == "" && !u.direct && len(inSet) > 0 {
		problem("the connection string says no replicaSet: with one seed some drivers then talk to this member alone, and writes fail after an election")
	}
	v.advise(u, inSet)
	if len(v.Problems) > 0 {
		v.ExitCode = 1
	}
}

// findPrimary adds up what a driver waits: all seeds are asked at once, the first that names the primary leads there.
func (v *View) findPrimary(u clientURI) {
	at := map[string]Seed{}
	for _, s := range v.Seeds {
		at[strings.ToLower(s.Host)] = s
	}
	for _, s := range v.Seeds {
		if !s.InURI || s.HelloMS < 0 {
			continue
		}
		cost := s.ConnectMS + s.HelloMS
		p, ok := at[strings.ToLower(s.Names)]
		switch {
		case s.Primary && (s.InSet || u.direct):
		case ok && p.Primary:
			cost += p.ConnectMS + p.HelloMS
		default:
			continue
		}
		if v.PrimaryMS < 0 || cost < v.PrimaryMS {
			v.PrimaryMS = cost
		}
	}
}

func (v *View) advise(u clientURI, inSet []string) {
	var usable, unknown []string
	for _, s := range v.Seeds {
		switch {
		case s.InSet && s.Error == "":
			usable = append(usable, s.Host)
		case (s.InSet || len(inSet) == 0) && len(s.Addresses) == 0:
			unknown = append(unknown, s.Host)
		}
	}
	if len(unknown) > 0 {
		v.Advice = append(v.Advice, fmt.Sprintf("make %s known on %s (/etc/hosts, or address: of every member in .boxdoctor.yaml): drivers use the names of the set, whatever the connection string says", strings.Join(unknown, ", "), v.From))
	}
	if len(usable) > 0 {
		slices.Sort(usable)
		v.URI = "mongodb://" + strings.Join(usable, ",") + "/?replicaSet=" + v.Set + "&connectTimeoutMS=2000&serverSelectionTimeoutMS=15000"
	}
	if len(v.Problems) > 0 && u.connect > 10*time.Second {
		v.Advice = append(v.Advice, "a connectTimeoutMS of 2000 lets an unreachable member cost 2 s instead of "+u.connect.String()+"; serverSelectionTimeoutMS must stay above an election (10 s)")
	}
}

package provision

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/nearest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// MongoSpec declares a MongoDB replica set over one or several machines (decisions D5 to D11 of the reference).
type MongoSpec struct {
	// Set is the replica set's name.
	Set     string        `yaml:"set"`
	Version string        `yaml:"version"` // a line such as "8.0", or a whole version; empty: the guest's default
	Hold    *bool         `yaml:"hold"`
	Members []mongoMember `yaml:"members"`
	// AllowPSA takes a set in which an arbiter outvotes the data; WriteConcern is then the default one of the set.
	AllowPSA     bool   `yaml:"allow_psa"`
	WriteConcern string `yaml:"write_concern"`
	// Config are further options of mongod.conf, as they stand there.
	Config  map[string]any `yaml:"config"`
	CacheGB string         `yaml:"cache_gb"`
	// Mirror takes the place of https://repo.mongodb.org; Packages is a folder of packages for guests without a network.
	Mirror   string `yaml:"mirror"`
	Packages string `yaml:"packages"`
	// RSEQ takes the drop-in that lets 8.0 and later run on kernels 6.19 to 7.0.13, at the price of its memory allocator.
	RSEQ   bool               `yaml:"rseq"`
	Users  ordered[mongoUser] `yaml:"users"`
	HAFlag *haFlagSpec        `yaml:"ha_flag"`
	Log    mongoLog           `yaml:"log"`
}

// mongoMember is one mongod.
type mongoMember struct {
	Machine string `yaml:"machine"`
	// Host is the name by which the members know it; empty: the machine's. Address goes into /etc/hosts of all members.
	Host    string `yaml:"host"`
	Address string `yaml:"address"`
	Port    int    `yaml:"port"`

	Arbiter  bool              `yaml:"arbiter"`
	Hidden   bool              `yaml:"hidden"`
	Priority *int              `yaml:"priority"`
	Votes    *int              `yaml:"votes"`
	Delay    int               `yaml:"delay"`
	Tags     map[string]string `yaml:"tags"`
}

type mongoUser struct {
	Roles []mongoRole `yaml:"roles"`
	// Password may hold ${env:NAME}; empty: one is generated and kept in the user's state folder.
	Password string `yaml:"password"`
}

type mongoRole struct {
	Role string `yaml:"role"`
	DB   string `yaml:"db"`
}

// UnmarshalYAML also takes the name of a role of the database admin alone.
func (r *mongoRole) UnmarshalYAML(decode func(any) error) error {
	type whole mongoRole
	return named(decode, &r.Role, (*whole)(r))
}

// haFlagSpec is a file that is there exactly while this member is the primary.
type haFlagSpec struct {
	Path  string `yaml:"path"`
	Every int    `yaml:"every"` // seconds
}

type mongoLog struct {
	// Rotate is reopen (logrotate renames, mongod opens anew) or rename (mongod renames, old files are deleted).
	Rotate string `yaml:"rotate"`
	Days   int    `yaml:"days"`
}

// Ways to rotate logs.
const (
	rotateReopen = "reopen"
	rotateRename = "rename"
)

// Defaults.
const (
	mongoPort    = 27017
	mongoAdmin   = "admin"
	defaultHA    = "/run/boxdoctor/mongo-primary"
	haEvery      = 10
	logDays      = 30
	mongoRepo    = "https://repo.mongodb.org"
	mongoKeys    = "https://pgp.mongodb.com/"
	mongoKeyFile = "/etc/mongod.key"
)

func (v *MongoSpec) name() string { return "mongo" }

func (v *MongoSpec) facts() []facts.Key { return []facts.Key{facts.KeyMongo} }

// where are the machines of the members.
func (v *MongoSpec) where() []string {
	var out []string
	for _, m := range v.Members {
		out = append(out, m.Machine)
	}
	return uniq(out)
}

// host is the member's name and port as all members know it.
func (m mongoMember) host() string { return or(m.Host, m.Machine) + ":" + strconv.Itoa(m.port()) }

func (m mongoMember) port() int {
	if m.Port == 0 {
		return mongoPort
	}
	return m.Port
}

// declared is the member for the state machine; what is left out is what the server takes by itself.
func (m mongoMember) declared() replset.Member {
	out := replset.Member{Host: m.host(), Arbiter: m.Arbiter, Hidden: m.Hidden, Votes: 1, Priority: 1, Tags: m.Tags, Delay: int64(m.Delay)}
	if m.Votes != nil {
		out.Votes = *m.Votes
	}
	if m.Arbiter || m.Hidden || m.Delay > 0 || out.Votes == 0 {
		out.Priority = 0
	}
	if m.Priority != nil {
		out.Priority = float64(*m.Priority)
	}
	return out
}

// declaredSet is the whole set for the state machine.
func (v *MongoSpec) declaredSet() replset.Set {
	out := replset.Set{Name: v.Set, AllowPSA: v.AllowPSA, WriteConcern: v.WriteConcern}
	for _, m := range v.Members {
		out.Members = append(out.Members, m.declared())
	}
	return out
}

// validate refuses what no guest could be, before any is asked.
func (v *MongoSpec) validate() error {
	errs := []error{checkName("set", v.Set), v.checkMembers(), v.checkConfig(), v.checkUsers(), v.checkFiles()}
	if v.Version != "" {
		_, err := knowledge.MongoLineOf(v.Version)
		errs = append(errs, err)
	}
	if len(v.Members) > 0 {
		errs = append(errs, v.declaredSet().Validate())
	}
	return errors.Join(errs...)
}

func (v *MongoSpec) checkMembers() error {
	if len(v.Members) == 0 {
		return errors.New("members are missing, such as members: [{machine: db1}, {machine: db2}, {machine: db3}]")
	}
	several := len(v.where()) > 1
	addresses := 0
	for _, m := range v.Members {
		if m.Machine == "" {
			return errors.New("a member says no machine")
		}
		name := or(m.Host, m.Machine)
		if several && (name == "localhost" || strings.HasPrefix(name, "127.")) {
			return fmt.Errorf("member %s: other machines cannot reach it by this name; say host: NAME", m.host())
		}
		if m.Address != "" {
			addresses++
		}
		for _, w := range []string{name, or(m.Address, "x")} {
			if err := checkName("member", w); err != nil || strings.ContainsAny(w, "/@+") {
				return fmt.Errorf("member %q: a name of a host is wanted", w)
			}
		}
		if m.port() < 1 || m.port() > 65535 {
			return fmt.Errorf("member %s: no port", m.host())
		}
	}
	if addresses > 0 && addresses < len(v.Members) {
		return errors.New("members: either all of them have an address, which goes into /etc/hosts, or none")
	}
	return v.checkArbiters()
}

// checkArbiters: an arbiter beside data falls together with it, and is then no tie-breaker (reference 3.6).
func (v *MongoSpec) checkArbiters() error {
	if len(v.where()) == 1 {
		return nil
	}
	for _, a := range v.Members {
		for _, m := range v.Members {
			if a.Arbiter && !m.Arbiter && a.Machine == m.Machine {
				return fmt.Errorf("member %s: an arbiter on the machine of the data member %s falls together with it; give it a machine without data", a.host(), m.host())
			}
		}
	}
	return nil
}

// managed are the options that the rest of the declaration decides.
var managed = []string{"net.port", "storage.dbPath", "replication.replSetName", "security.keyFile", "security.authorization", "systemLog.path",
	"systemLog.logAppend", "systemLog.logRotate", "systemLog.destination", "processManagement.fork", "storage.wiredTiger.engineConfig.cacheSizeGB"}

// checkConfig wants every option of config to be one that mongod knows, and none that is decided elsewhere.
func (v *MongoSpec) checkConfig() error {
	flat := map[string]any{}
	flatten("", v.Config, flat)
	for _, name := range sortedKeys(flat) {
		switch {
		case slices.Contains(managed, name):
			return fmt.Errorf("config: %s is decided by the rest of the declaration (port, set, cache_gb, log)", name)
		case !knowledge.MongoOption(name):
			hint := ""
			if near := nearest.Of(name, knowledge.MongoOptions()); near != "" {
				hint = "; did you mean " + near + "?"
			}
			return fmt.Errorf("config: mongod knows no option %s%s", name, hint)
		}
	}
	return nil
}

func (v *MongoSpec) checkUsers() error {
	for i, name := range v.Users.Names {
		u := v.Users.Of[name]
		if err := checkName("user", name); err != nil || strings.ContainsAny(name, ":/") {
			return fmt.Errorf("user %q: letters, digits, and _ . + @ - make a name", name)
		}
		if len(u.Roles) == 0 {
			return fmt.Errorf("user %s: roles are missing, such as roles: [{role: readWrite, db: app}]", name)
		}
		root := slices.ContainsFunc(u.Roles, func(r mongoRole) bool { return r.Role == "root" && or(r.DB, "admin") == "admin" })
		if i == 0 && !root {
			return fmt.Errorf("user %s: the first user is the administrator that boxdoctor works as: roles: [root]", name)
		}
		for _, r := range u.Roles {
			if err := errors.Join(checkName("role", r.Role), checkName("database", or(r.DB, "admin"))); err != nil {
				return fmt.Errorf("user %s: %w", name, err)
			}
		}
	}
	return nil
}

func (v *MongoSpec) checkFiles() error {
	errs := []error{checkState("log rotation", or(v.Log.Rotate, rotateReopen), rotateReopen, rotateRename)}
	if v.HAFlag != nil {
		errs = append(errs, checkPath("ha_flag", or(v.HAFlag.Path, defaultHA)))
		if strings.ContainsAny(v.HAFlag.Path, " '\"\\$`%") {
			errs = append(errs, fmt.Errorf("ha_flag: the path %q holds blanks or quotes", v.HAFlag.Path))
		}
		if n := v.HAFlag.Every; n != 0 && (n < 2 || n > 3600) {
			errs = append(errs, fmt.Errorf("ha_flag: every is %d; between 2 and 3600 seconds", n))
		}
	}
	if gb, err := strconv.ParseFloat(or(v.CacheGB, "1"), 64); err != nil || gb < 0.25 || gb > 10000 {
		errs = append(errs, fmt.Errorf("cache_gb: %q; a number from 0.25 on (mongod takes no less)", v.CacheGB))
	}
	if v.Log.Days < 0 {
		errs = append(errs, fmt.Errorf("log: days is %d", v.Log.Days))
	}
	if strings.ContainsAny(v.Mirror, " \t\r\n[]") {
		errs = append(errs, fmt.Errorf("mirror: %q holds blanks or brackets", v.Mirror))
	}
	return errors.Join(errs...)
}

package provision

import (
	_ "embed" // the scripts that run in guests
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/mongo_primary.sh
var mongoPrimary string

//go:embed scripts/mongo_rename.sh
var mongoRename string

// instance is one mongod of a guest. That of the default port is the package's own; others have units of ours.
type instance struct {
	member              mongoMember
	Unit, Conf, DB, Log string
	PID, Key            string
	User                string
	own                 bool
}

// instanceOf lays a member out as its family's package does.
func instanceOf(m mongoMember, apt bool) instance {
	i := instance{member: m, Unit: "mongod", Conf: "/etc/mongod.conf", DB: "/var/lib/mongo", Log: "/var/log/mongodb/mongod.log", PID: "/var/run/mongodb/mongod.pid", Key: mongoKeyFile, User: "mongod"}
	if apt {
		i.DB, i.User = "/var/lib/mongodb", "mongodb"
	}
	if p := m.port(); p != mongoPort {
		n := strconv.Itoa(p)
		i.own, i.Unit, i.Conf, i.DB, i.Log, i.PID = true, "mongod-"+n, "/etc/mongod-"+n+".conf", i.DB+"-"+n, "/var/log/mongodb/mongod-"+n+".log", ""
	}
	return i
}

// instances are the mongods of one machine.
func (v *MongoSpec) instances(machine string, apt bool) []instance {
	var out []instance
	for _, m := range v.Members {
		if m.Machine == machine {
			out = append(out, instanceOf(m, apt))
		}
	}
	return out
}

// resources are the role on one guest, in order: what mongod needs, then each mongod, then what looks after it. The set
// itself is made in the stage.
func (v *MongoSpec) resources(at place, g facts.Guest) ([]Resource, error) {
	sys, err := g.System.Get()
	if err != nil {
		return nil, err
	}
	s, err := v.source(at, g)
	if err != nil {
		return nil, err
	}
	if err := v.preflight(s, g); err != nil {
		return nil, err
	}
	is := v.instances(at.machine, sys.Manager == "apt")
	if sys.Init != "systemd" && slices.ContainsFunc(is, func(i instance) bool { return i.own }) {
		return nil, errors.New("without systemd there is one mongod for each machine, at port 27017: the package's init script knows no other")
	}
	key, err := at.Vault.Secret("keyfile", func() string { return random(756) })
	if err != nil {
		return nil, err
	}
	out := slices.Concat(v.names(), v.hosts(), s.resources())
	out = append(out, DirectoryResource{Path: "/var/log/mongodb", Mode: 0o755, Owner: is[0].User, Group: is[0].User})
	out = append(out, keyFile{FileResource{Path: mongoKeyFile, Content: key + "\n", Mode: 0o600, Owner: is[0].User, Group: is[0].User, State: Present, Secret: true}, is, at.Vault.Path("keyfile")})
	for _, i := range is {
		out = append(out, v.mongod(i)...)
	}
	out = append(out, v.rotation(is, sys))
	return append(out, v.haFlag(is, sys)...), nil
}

// hosts is the block of /etc/hosts, where addresses are declared.
func (v *MongoSpec) hosts() []Resource {
	var lines []string
	for _, m := range v.Members {
		if line := m.Address + " " + or(m.Host, m.Machine); m.Address != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []Resource{hostsBlock{"mongo-" + v.Set, lines}}
}

// mongod is one instance: its folder, unit, configuration and service.
func (v *MongoSpec) mongod(i instance) []Resource {
	out := []Resource{DirectoryResource{Path: i.DB, Mode: 0o755, Owner: i.User, Group: i.User}}
	if i.own {
		out = append(out, FileResource{Path: "/etc/systemd/system/" + i.Unit + ".service", Content: i.unit(), Mode: configMode, State: Present}, i.selinux())
	}
	if v.RSEQ {
		dir := "/etc/systemd/system/" + i.Unit + ".service.d"
		out = append(out, DirectoryResource{Path: dir, Mode: 0o755}, FileResource{Path: dir + "/boxdoctor-rseq.conf", Mode: configMode, State: Present,
			Content: "# boxdoctor provision: glibc takes rseq, so that TCMalloc does not (kernels 6.19 to 7.0.13, SERVER-121912)\n[Service]\nEnvironment=\"GLIBC_TUNABLES=glibc.pthread.rseq=1\"\n"})
	}
	yes := true
	return append(out, mongoConf{Path: i.Conf, Options: v.options(i), Instance: i.member.port()},
		ServiceResource{Name: i.Unit, State: Started, Enabled: &yes})
}

// options are what is declared of mongod.conf, by full name.
func (v *MongoSpec) options(i instance) map[string]any {
	out := map[string]any{}
	flatten("", v.Config, out)
	bind := "127.0.0.1," + or(i.member.Address, or(i.member.Host, i.member.Machine))
	if name := or(i.member.Host, i.member.Machine); name == "localhost" || name == "127.0.0.1" {
		bind = "127.0.0.1"
	}
	maps.Copy(out, map[string]any{"net.port": i.member.port(), "storage.dbPath": i.DB, "replication.replSetName": v.Set,
		"security.keyFile": i.Key, "security.authorization": "enabled",
		"systemLog.destination": "file", "systemLog.path": i.Log, "systemLog.logAppend": true, "systemLog.logRotate": or(v.Log.Rotate, rotateReopen)})
	if _, given := out["net.bindIp"]; !given && out["net.bindIpAll"] == nil {
		out["net.bindIp"] = bind
	}
	if v.CacheGB != "" {
		gb, _ := strconv.ParseFloat(v.CacheGB, 64) // validated
		out["storage.wiredTiger.engineConfig.cacheSizeGB"] = gb
	}
	return out
}

// unit has the limits of the package's (reference 3.3): without them mongod warns and runs out of files.
func (i instance) unit() string {
	return fmt.Sprintf(`# boxdoctor provision
[Unit]
Description=MongoDB at port %d (boxdoctor)
After=network-online.target
Wants=network-online.target

[Service]
User=%[2]s
Group=%[2]s
Environment="GLIBC_TUNABLES=glibc.pthread.rseq=0"
ExecStart=/usr/bin/mongod --config %[3]s
LimitFSIZE=infinity
LimitCPU=infinity
LimitAS=infinity
LimitNOFILE=64000
LimitNPROC=64000
LimitMEMLOCK=infinity
TasksMax=infinity
TasksAccounting=false

[Install]
WantedBy=multi-user.target
`, i.member.port(), i.User, i.Conf)
}

// selinux gives another folder and port the types that the policy knows for mongod, where it is enforced.
func (i instance) selinux() Resource {
	port := strconv.Itoa(i.member.port())
	words := shell.Join([]string{i.DB, port})
	return ExecResource{Name: "selinux-" + i.Unit,
		Unless: "set -- " + words + `; ! command -v semanage >/dev/null 2>&1 || ! semanage port -l 2>/dev/null | grep -q '^mongod_port_t' || semanage port -l | grep '^mongod_port_t' | grep -qw "$2"`,
		Command: "set -- " + words + `
semanage fcontext -a -t mongod_var_lib_t "$1(/.*)?" 2>/dev/null || semanage fcontext -m -t mongod_var_lib_t "$1(/.*)?"
restorecon -R "$1"
semanage port -a -t mongod_port_t -p tcp "$2" 2>/dev/null || semanage port -m -t mongod_port_t -p tcp "$2"`,
		Undo: "sudo semanage port -d -p tcp " + port + "; sudo semanage fcontext -d " + shell.Quote(i.DB+"(/.*)?")}
}

// keyFile is the key that the members know each other by. One that is there is never overwritten: a member with another
// key than the others is out of its set, and which of them is right no machine can tell alone.
type keyFile struct {
	FileResource
	instances []instance
	kept      string
}

// Diff compares by hash and shows neither key.
func (k keyFile) Diff(s *State) ([]Change, error) {
	have, err := s.files.get(k.Path)
	if err == nil && have.Exists && have.Type == "file" && have.SHA256 != sum(k.Content) {
		return nil, fmt.Errorf("%s in the guest (sha256 %s) is not the set's key that boxdoctor keeps in %s (sha256 %s); it is not overwritten, because a member with another key is out of its set. "+
			"If the guest's is right: sudo cat %s there, into that file here (0600). If this machine is no member yet: sudo rm %s there. Then run this again",
			k.Path, short12(have.SHA256), k.kept, sum(k.Content)[:12], k.Path, k.Path)
	}
	return k.FileResource.Diff(s)
}

func short12(hash string) string { return hash[:min(12, len(hash))] }

// rotation is how logs end (D11): logrotate renames and mongod opens anew, or mongod renames and old ones are deleted.
func (v *MongoSpec) rotation(is []instance, sys facts.System) Resource {
	days := v.Log.Days
	if days == 0 {
		days = logDays
	}
	if or(v.Log.Rotate, rotateReopen) == rotateRename {
		var signals []string
		for _, i := range is {
			signals = append(signals, i.signal(sys))
		}
		text := strings.NewReplacer("SIGNALS", strings.Join(signals, "\n"), "FOLDER", filepath.Dir(is[0].Log), "DAYS", strconv.Itoa(days)).Replace(mongoRename)
		return FileResource{Path: "/etc/cron.daily/boxdoctor-mongod", Content: text, Mode: 0o755, State: Present}
	}
	var logs, signals []string
	for _, i := range is {
		logs = append(logs, i.Log)
		signals = append(signals, "\t\t"+i.signal(sys))
	}
	text := fmt.Sprintf(`# boxdoctor provision
%s {
	daily
	rotate %d
	maxage %d
	compress
	delaycompress
	missingok
	notifempty
	create 640 %s %s
	sharedscripts
	postrotate
%s
	endscript
}
`, strings.Join(logs, " "), days, days, is[0].User, is[0].User, strings.Join(signals, "\n"))
	return FileResource{Path: "/etc/logrotate.d/boxdoctor-mongod", Content: text, Mode: configMode, State: Present}
}

// signal makes one mongod open its log anew.
func (i instance) signal(sys facts.System) string {
	if sys.Init == "systemd" {
		return "systemctl kill -s USR1 --kill-who=main " + i.Unit + " 2>/dev/null || true"
	}
	return "kill -USR1 \"$(cat " + i.PID + ")\" 2>/dev/null || true"
}

// haFlag is the script and what runs it: a timer, or cron with a loop where there is no systemd.
func (v *MongoSpec) haFlag(is []instance, sys facts.System) []Resource {
	if v.HAFlag == nil {
		return nil
	}
	every := v.HAFlag.Every
	if every == 0 {
		every = haEvery
	}
	const script = "/usr/local/lib/boxdoctor/mongo-primary.sh"
	argv := []string{"sh", script, or(v.HAFlag.Path, defaultHA)}
	for _, i := range is {
		if !i.member.Arbiter {
			argv = append(argv, strconv.Itoa(i.member.port()))
		}
	}
	command := shell.Join(argv)
	out := []Resource{DirectoryResource{Path: "/usr/local/lib/boxdoctor", Mode: 0o755}, FileResource{Path: script, Content: mongoPrimary, Mode: 0o755, State: Present}}
	if sys.Init != "systemd" {
		loop := fmt.Sprintf("i=0; while [ $i -lt %d ]; do %s; i=$((i + 1)); sleep %d; done", max(1, 60/every), command, every)
		return append(out, cronFile("mongo-primary", "* * * * *", "root", loop))
	}
	yes := true
	const unit = "/etc/systemd/system/boxdoctor-mongo-primary"
	return append(out,
		FileResource{Path: unit + ".service", Mode: configMode, State: Present,
			Content: "# boxdoctor provision\n[Unit]\nDescription=Whether this machine holds the primary (boxdoctor)\n\n[Service]\nType=oneshot\nTimeoutStartSec=30\nExecStart=/bin/" + command + "\n"},
		FileResource{Path: unit + ".timer", Mode: configMode, State: Present, Restart: []string{"boxdoctor-mongo-primary.timer"},
			Content: fmt.Sprintf("# boxdoctor provision\n[Unit]\nDescription=Whether this machine holds the primary (boxdoctor)\n\n[Timer]\nOnBootSec=15\nOnUnitInactiveSec=%d\nAccuracySec=1\n\n[Install]\nWantedBy=timers.target\n", every)},
		ServiceResource{Name: "boxdoctor-mongo-primary.timer", State: Started, Enabled: &yes})
}

package el6

import (
	"crypto/rand"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/coreutils"
	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

func randomBytes(p []byte) (int, error) { return rand.Read(p) }

// sudoArgs is a parsed command line of sudo.
type sudoArgs struct {
	never, stdin, version bool
	user, prompt          string
	cmd                   []string
}

func parseSudo(p *kernel.Proc) (a sudoArgs, ok bool) {
	a.user, a.prompt = "root", "[sudo] password for %p: "
	list := p.Args[1:]
	for len(list) > 0 && len(list[0]) > 1 && list[0][0] == '-' {
		w := list[0]
		list = list[1:]
		if w == "--" {
			break
		}
		for i := 1; i < len(w); i++ {
			val := func() string {
				v := w[i+1:]
				i = len(w)
				if v == "" && len(list) > 0 {
					v, list = list[0], list[1:]
				}
				return v
			}
			switch w[i] {
			case 'n':
				a.never = true
			case 'S':
				a.stdin = true
			case 'E', 'H', 'k', 'K', 'b':
			case 'v', 'l':
				a.cmd = []string{"true"}
			case 'V':
				a.version = true
			case 'p':
				a.prompt = val()
			case 'u':
				a.user = val()
			default:
				p.Errorf("sudo: invalid option -- '%c' (not supported by the embedded guest)\n", w[i])
				return a, false
			}
		}
	}
	if len(list) > 0 {
		a.cmd = list
	}
	return a, true
}

func (m *Machine) sudo(p *kernel.Proc) int {
	a, ok := parseSudo(p)
	switch {
	case !ok:
		return 1
	case a.version:
		p.Printf("Sudo version 1.8.6p3\n")
		return 0
	case len(a.cmd) == 0:
		p.Errorf("usage: sudo -h | -K | -k | -L | -V\n")
		return 1
	}
	if p.Cred.UID != 0 && !m.allowed(p, a) {
		return 1
	}
	user, cred, ok := m.target(a.user)
	if !ok {
		p.Errorf("sudo: unknown user: %s\n", strings.TrimPrefix(a.user, "#"))
		return 1
	}
	caller := m.userName(p.Cred.UID)
	env := map[string]string{"PATH": "/sbin:/bin:/usr/sbin:/usr/bin", "HOME": home(user), "USER": user, "LOGNAME": user,
		"SUDO_USER": caller, "SUDO_UID": strconv.Itoa(p.Cred.UID), "TERM": "unknown"}
	for len(a.cmd) > 0 {
		k, v, isVar := strings.Cut(a.cmd[0], "=")
		if !isVar || strings.Contains(k, "/") {
			break
		}
		env[k] = v
		a.cmd = a.cmd[1:]
	}
	p.Env = env
	p.SetCred(cred)
	if p.LookPath(a.cmd[0]) == "" {
		p.Errorf("sudo: %s: command not found\n", a.cmd[0])
		return 1
	}
	return p.Exec(a.cmd)
}

func (m *Machine) userName(uid int) string {
	for _, u := range m.cfg.Users {
		if u.UID == uid {
			return u.Name
		}
	}
	if uid == 0 {
		return "root"
	}
	return "nobody"
}

func (m *Machine) target(spec string) (string, memfs.Cred, bool) {
	if n, ok := strings.CutPrefix(spec, "#"); ok {
		uid, err := strconv.Atoi(n)
		if err != nil {
			return "", memfs.Cred{}, false
		}
		spec = m.userName(uid)
	}
	c, ok := coreutils.CredOf(m.FS, spec)
	return spec, c, ok
}

// allowed asks for the password as the policy wants.
func (m *Machine) allowed(p *kernel.Proc, a sudoArgs) bool {
	user := m.userName(p.Cred.UID)
	switch m.cfg.Sudo {
	case SudoTTY:
		p.Errorf("sudo: sorry, you must have a tty to run sudo\n")
		return false
	case SudoDenied:
		if a.never {
			p.Errorf("sudo: a password is required\n")
			return false
		}
	case SudoPassword:
		if a.never {
			p.Errorf("sudo: a password is required\n")
			return false
		}
	default:
		return true
	}
	if !a.stdin {
		p.Errorf("sudo: no tty present and no askpass program specified\n")
		return false
	}
	for try := range 3 {
		p.Errorf("%s", strings.ReplaceAll(a.prompt, "%p", user))
		pw, ok := readPassword(p)
		if pw == m.cfg.Password && ok {
			if m.cfg.Sudo == SudoDenied {
				p.Errorf("%s is not in the sudoers file.  This incident will be reported.\n", user)
				return false
			}
			return true
		}
		if !ok {
			p.Errorf("sudo: %d incorrect password attempts\n", try+1)
			return false
		}
		p.Errorf("Sorry, try again.\n")
	}
	p.Errorf("sudo: 3 incorrect password attempts\n")
	return false
}

func readPassword(p *kernel.Proc) (string, bool) {
	var line []byte
	var b [1]byte
	for {
		n, err := p.Stdin().Read(b[:])
		if n == 1 && b[0] == '\n' {
			return string(line), true
		}
		if n == 1 {
			line = append(line, b[0])
		}
		if err != nil {
			return string(line), len(line) > 0
		}
	}
}

// su knows `su [-s SHELL] USER -c COMMAND [ARG0 …]` for root.
func (m *Machine) su(p *kernel.Proc) int {
	user, cmd := "root", ""
	var rest []string
	for i := 1; i < len(p.Args); i++ {
		switch a := p.Args[i]; {
		case (a == "-s" || a == "-c") && i+1 < len(p.Args):
			i++
			if a == "-c" {
				cmd = p.Args[i]
			}
		case a == "-" || a == "-l":
		default:
			rest = append(rest, a)
		}
	}
	if len(rest) > 0 {
		user, rest = rest[0], rest[1:]
	}
	if p.Cred.UID != 0 {
		p.Errorf("su: incorrect password\n")
		return 1
	}
	_, cred, ok := m.target(user)
	if !ok {
		p.Errorf("su: user %s does not exist\n", user)
		return 1
	}
	p.SetCred(cred)
	return p.Exec(append([]string{"/bin/sh", "-c", cmd}, rest...))
}

// getent knows passwd, group and hosts.
func (m *Machine) getent(p *kernel.Proc) int {
	if len(p.Args) < 2 {
		return 1
	}
	st := 0
	for _, key := range p.Args[2:] {
		if !m.entry(p, p.Args[1], key) {
			st = 2
		}
	}
	if len(p.Args) == 2 {
		data, err := m.FS.ReadFile(memfs.Root, "/etc/"+p.Args[1])
		if err != nil {
			p.Errorf("Unknown database: %s\n", p.Args[1])
			return 1
		}
		_, _ = p.Stdout().Write(data)
	}
	return st
}

func (m *Machine) entry(p *kernel.Proc, db, key string) bool {
	if db == "hosts" || db == "ahosts" || db == "ahostsv4" {
		if !m.Resolves(key) && key != "localhost" && key != m.cfg.Hostname {
			return false
		}
		p.Printf("%-15s %s\n", "192.0.2.10", key)
		return true
	}
	data, _ := m.FS.ReadFile(memfs.Root, "/etc/"+db)
	for _, l := range strings.Split(string(data), "\n") {
		if f := strings.Split(l, ":"); len(f) > 2 && (f[0] == key || f[2] == key) {
			p.Printf("%s\n", l)
			return true
		}
	}
	return false
}

func (m *Machine) hostname(p *kernel.Proc) int {
	if len(p.Args) > 1 && p.Args[1] != "-f" && p.Args[1] != "-s" {
		p.Errorf("hostname: you must be root to change the host name\n")
		return 1
	}
	p.Printf("%s\n", m.cfg.Hostname)
	return 0
}

// service runs an init script, as SysV's service does.
func service(p *kernel.Proc) int {
	if len(p.Args) < 3 {
		p.Errorf("Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n")
		return 1
	}
	script := "/etc/init.d/" + p.Args[1]
	if _, err := p.K.FS.Stat(p.Cred, script); err != nil {
		p.Errorf("%s: unrecognized service\n", p.Args[1])
		return 1
	}
	return p.Exec(append([]string{script}, p.Args[2:]...))
}

func chkconfig(p *kernel.Proc) int {
	if len(p.Args) == 3 && p.Args[1] == "--list" {
		p.Printf("%s\t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n", p.Args[2])
	}
	return 0
}

func initctl(p *kernel.Proc) int {
	if len(p.Args) > 1 && p.Args[1] == "version" {
		p.Printf("init (upstart 0.6.5)\n")
		return 0
	}
	return 0
}

func (m *Machine) getenforce(p *kernel.Proc) int {
	p.Printf("Disabled\n")
	return 0
}

// shutdown knows restarts only: -r now, or reboot.
func (m *Machine) shutdown(p *kernel.Proc) int {
	if p.Cred.UID != 0 {
		p.Errorf("shutdown: Need to be root\n")
		return 1
	}
	if strings.HasSuffix(p.Args[0], "shutdown") && (len(p.Args) < 2 || p.Args[1] != "-r") {
		p.Errorf("shutdown: only -r now is supported by the embedded guest\n")
		return 1
	}
	p.Printf("\nBroadcast message from root@%s\n\nThe system is going down for reboot NOW!\n", m.cfg.Hostname)
	m.Reboot()
	return 0
}

// Snapshot lists the tree below dir with modes and sizes: for tests that nothing changed.
func (m *Machine) Snapshot(dirs ...string) string {
	var out []string
	var walk func(string)
	walk = func(p string) {
		in, err := m.FS.Lstat(memfs.Root, p)
		if err != nil {
			return
		}
		data := ""
		if in.Mode().IsRegular() {
			b, _ := m.FS.ReadFile(memfs.Root, p)
			data = string(b)
		}
		out = append(out, fmt.Sprintf("%s %v %d:%d %q", p, in.Mode(), in.UID, in.GID, data))
		list, _ := m.FS.ReadDir(memfs.Root, p)
		for _, k := range list {
			walk(strings.TrimSuffix(p, "/") + "/" + k.Name())
		}
	}
	for _, d := range dirs {
		walk(d)
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

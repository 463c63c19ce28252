package host

import (
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// maxVMs bounds how many entries of any VirtualBox list are kept.
const maxVMs = 10000

// inaccessible is the name that VirtualBox shows for a VM whose settings it cannot read.
const inaccessible = "<inaccessible>"

// listed is one line of `VBoxManage list vms`.
type listed struct{ Name, UUID string }

// listLine matches `"name" {uuid}`; the name may hold quotes and spaces, so the match is greedy.
var listLine = regexp.MustCompile(`^"(.+)" \{([0-9a-fA-F-]{36})\}$`)

// parseList reads `VBoxManage list vms` and `list runningvms`; other lines (warnings) are passed over.
func parseList(out string) []listed {
	var all []listed
	for _, line := range lines(out) {
		if m := listLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && len(all) < maxVMs {
			all = append(all, listed{Name: clean(m[1]), UUID: strings.ToLower(m[2])})
		}
	}
	return all
}

// forward is one NAT port forward.
type forward struct {
	Name, Proto         string
	HostIP, GuestIP     string
	HostPort, GuestPort int
	adapter             int
}

// vmInfo is what showvminfo or a .vbox file says of one VM.
type vmInfo struct {
	facts.VM
	CfgFile  string
	Forwards []forward
}

var (
	nicKey     = regexp.MustCompile(`^nic(\d{1,2})$`)
	forwardKey = regexp.MustCompile(`^Forwarding\(\d{1,5}\)$`)
	shareKey   = regexp.MustCompile(`^SharedFolder(Name|Path)([A-Za-z]+Mapping\d{1,5})$`)
)

// parseVMInfo reads `VBoxManage showvminfo UUID --machinereadable`. Lines it does not know, and lines without
// a key, are passed over: every release adds some. The forwards belong to the nic named before them; only
// those of NAT adapters are kept.
func parseVMInfo(out string) vmInfo {
	p := infoParser{names: map[string]string{}, paths: map[string]string{}}
	for _, line := range lines(out) {
		if key, value, ok := splitInfo(line); ok {
			p.line(key, value)
		}
	}
	p.vm.Shares = p.shares()
	return p.vm
}

// infoParser remembers what the order of lines means.
type infoParser struct {
	vm           vmInfo
	nic          int
	nat          bool
	mappings     []string
	names, paths map[string]string
}

func (p *infoParser) line(key, value string) {
	switch key {
	case "name":
		p.vm.Name = clean(value)
	case "UUID":
		p.vm.UUID = strings.ToLower(clean(value))
	case "CfgFile":
		p.vm.CfgFile = clean(value)
	case "VMState":
		p.vm.State = clean(value)
	case "GuestAdditionsVersion":
		p.vm.AdditionsVersion = clean(value)
	default:
		p.listed(key, value)
	}
}

func (p *infoParser) listed(key, value string) {
	if m := nicKey.FindStringSubmatch(key); m != nil {
		p.nic, _ = strconv.Atoi(m[1]) // at most two digits
		p.nat = value == "nat"
		return
	}
	if forwardKey.MatchString(key) {
		if f, ok := parseForward(value); ok && p.nat && len(p.vm.Forwards) < maxVMs {
			f.adapter = p.nic
			p.vm.Forwards = append(p.vm.Forwards, f)
		}
		return
	}
	if m := shareKey.FindStringSubmatch(key); m != nil {
		p.share(m[1], m[2], clean(value))
	}
}

func (p *infoParser) share(what, mapping, value string) {
	_, named := p.names[mapping]
	_, placed := p.paths[mapping]
	if !named && !placed {
		p.mappings = append(p.mappings, mapping)
	}
	if what == "Name" {
		p.names[mapping] = value
	} else {
		p.paths[mapping] = value
	}
}

func (p *infoParser) shares() []facts.Share {
	shares := []facts.Share{}
	for _, m := range p.mappings {
		if p.names[m] != "" {
			shares = append(shares, facts.Share{Name: p.names[m], HostPath: p.paths[m]})
		}
	}
	return shares
}

// splitInfo splits one line of --machinereadable. Keys may be quoted; values may be quoted, bare, or quoted
// with something after the closing quote (`VideoMode="720,400,0"@0,0 1`), which is dropped.
func splitInfo(line string) (key, value string, ok bool) {
	if rest, quoted := strings.CutPrefix(line, `"`); quoted {
		key, value, ok = strings.Cut(rest, `"=`)
	} else {
		key, value, ok = strings.Cut(line, "=")
	}
	if !ok || key == "" {
		return "", "", false
	}
	if inner, quoted := strings.CutPrefix(value, `"`); quoted {
		if end := strings.LastIndexByte(inner, '"'); end >= 0 {
			return key, unescape(inner[:end]), true
		}
	}
	return key, value, true
}

// unescape undoes the doubled backslashes that some releases print in Windows paths. Other releases print
// them single, so the text is only changed when every backslash in it escapes a backslash or a quote.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i+1 >= len(s) || s[i+1] != '\\' && s[i+1] != '"' {
				return s
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseForward reads name,proto,hostip,hostport,guestip,guestport; a name may hold commas.
func parseForward(value string) (forward, bool) {
	f := strings.Split(value, ",")
	if len(f) < 6 {
		return forward{}, false
	}
	name, f := strings.Join(f[:len(f)-5], ","), f[len(f)-5:]
	hostPort, ok1 := port(f[2])
	guestPort, ok2 := port(f[4])
	return forward{Name: clean(name), Proto: f[0], HostIP: clean(f[1]), HostPort: hostPort, GuestIP: clean(f[3]), GuestPort: guestPort},
		ok1 && ok2
}

// port reads a TCP port, 1 to 65535.
func port(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	return int(n), err == nil && n > 0
}

// sshForward picks the forward that leads to the guest's sshd: the rule named ssh, as Vagrant names it, else
// the first one to guest port 22.
func sshForward(all []forward) (forward, bool) {
	tcp := make([]forward, 0, len(all))
	for _, f := range all {
		if strings.EqualFold(f.Proto, "tcp") {
			tcp = append(tcp, f)
		}
	}
	sort.SliceStable(tcp, func(i, j int) bool { return rank(tcp[i]) < rank(tcp[j]) })
	if len(tcp) == 0 || rank(tcp[0]) > 1 {
		return forward{}, false
	}
	return tcp[0], true
}

func rank(f forward) int {
	switch {
	case f.Name == "ssh":
		return 0
	case f.GuestPort == 22:
		return 1
	}
	return 2
}

// dialIP is where the host end of a forward is dialled: no address and the wildcard mean loopback.
func (f forward) dialIP() string {
	switch f.HostIP {
	case "", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return f.HostIP
}

// additionsISO finds the path in `VBoxManage list systemproperties`; empty when the line is missing or empty.
func additionsISO(out string) string {
	for _, line := range lines(out) {
		if value, ok := strings.CutPrefix(line, "Default Guest Additions ISO:"); ok {
			return clean(strings.TrimSpace(value))
		}
	}
	return ""
}

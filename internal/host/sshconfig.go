package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

const (
	maxConfig   = 4 << 20 // bytes of one file
	maxIncludes = 64      // files in all
	maxHosts    = 2000
)

// sshFile is a parsed --ssh-config.
type sshFile struct {
	path   string
	config *ssh_config.Config
	// hosts are the concrete names of Host lines, in order of appearance.
	hosts []string
	notes []string
}

// readSSHConfig reads the file that `vagrant ssh-config` prints, or any OpenSSH client configuration. The
// parser of the library decides which block counts for which name; what it cannot read is put right before:
// Include (it reads them from the wrong home and not with quotes), tabs between names, `#` inside a value,
// and Match blocks with conditions (dropped with a note: they need commands or facts of a login).
func readSSHConfig(path, home string) (sshFile, error) {
	x := expander{home: home}
	if err := x.file(path, 0); err != nil {
		return sshFile{}, err
	}
	config, err := decodeSSH(x.out.String())
	if err != nil {
		return sshFile{}, fmt.Errorf("--ssh-config %s cannot be read: %w", path, err)
	}
	return sshFile{path: path, config: config, hosts: unique(x.hosts), notes: x.notes}, nil
}

// decodeSSH turns a panic of the parser into an error: it raises them for some malformed texts.
func decodeSSH(text string) (config *ssh_config.Config, err error) {
	defer func() {
		if r := recover(); r != nil {
			config, err = nil, fmt.Errorf("the parser failed: %v", r)
		}
	}()
	return ssh_config.DecodeBytes([]byte(text))
}

// expander rewrites a configuration, line by line, into the subset that the library reads right.
type expander struct {
	home  string
	out   strings.Builder
	hosts []string
	notes []string
	files int
	// block is the Host line that holds now; it is repeated after an Include, whose blocks end with its file.
	block string
	// skip: inside a Match block that cannot be judged.
	skip bool
}

func (x *expander) file(path string, depth int) error {
	x.files++
	if depth > 8 || x.files > maxIncludes {
		return fmt.Errorf("--ssh-config: more than %d files or 8 levels of Include, at %s (a file that includes itself?)", maxIncludes, path)
	}
	data, err := readBounded(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) && depth == 0 {
		return fmt.Errorf("--ssh-config %s does not exist: write it with `vagrant ssh-config > %s`", path, path)
	}
	if err != nil {
		return fmt.Errorf("--ssh-config: %w", err)
	}
	block, skip := x.block, x.skip
	for i, line := range lines(string(data)) {
		if err := x.line(path, i+1, line, depth); err != nil {
			return err
		}
	}
	if depth > 0 && (block != x.block || skip != x.skip) {
		x.skip = skip
		x.begin(block)
	}
	return nil
}

func (x *expander) begin(block string) {
	x.block = block
	if block == "" {
		block = "Host *" // what stands before the first Host line counts for all
	}
	x.out.WriteString(block + "\n")
}

func (x *expander) line(path string, number int, line string, depth int) error {
	key, args, err := splitSSHLine(line)
	if err != nil {
		return fmt.Errorf("--ssh-config %s, line %d: %w", path, number, err)
	}
	switch strings.ToLower(key) {
	case "":
	case "host":
		x.host(args)
	case "match":
		x.match(path, number, args)
	case "include":
		if !x.skip {
			return x.include(path, args, depth)
		}
	default:
		if !x.skip && len(args) > 0 {
			x.out.WriteString(key + " " + hide(strings.Join(args, " ")) + "\n")
		}
	}
	return nil
}

func (x *expander) host(patterns []string) {
	x.skip = len(patterns) == 0
	if x.skip {
		return
	}
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?!") && len(x.hosts) < maxHosts {
			x.hosts = append(x.hosts, clean(p))
		}
	}
	x.begin("Host " + hide(strings.Join(patterns, " ")))
}

// match keeps `Match all` and `Match host …` and drops the rest.
func (x *expander) match(path string, number int, args []string) {
	switch {
	case len(args) == 1 && strings.EqualFold(args[0], "all"):
		x.skip = false
		x.begin("Host *")
	case len(args) == 2 && strings.EqualFold(args[0], "host"):
		x.skip = false
		x.begin("Host " + hide(strings.ReplaceAll(args[1], ",", " ")))
	default:
		x.skip = true
		x.notes = append(x.notes, fmt.Sprintf("%s, line %d: the block `Match %s` is not read; boxdoctor understands `Match all` and `Match host`", path, number, clean(strings.Join(args, " "))))
	}
}

// include reads other files where the line stands. Relative names are looked for in ~/.ssh, as OpenSSH does,
// then beside the including file. A pattern without a file is no error, as with OpenSSH.
func (x *expander) include(from string, patterns []string, depth int) error {
	for _, p := range patterns {
		for _, file := range x.matches(from, p) {
			if err := x.file(file, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *expander) matches(from, pattern string) []string {
	if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
		pattern = filepath.Join(x.home, rest)
	}
	if filepath.IsAbs(pattern) {
		found, _ := filepath.Glob(pattern) // a malformed pattern matches nothing
		return found
	}
	found, _ := filepath.Glob(filepath.Join(x.home, ".ssh", pattern))
	if len(found) == 0 {
		found, _ = filepath.Glob(filepath.Join(filepath.Dir(from), pattern))
	}
	return found
}

// hash stands for `#` inside a value, which the library would take for the start of a comment.
const hash = "\uE023"

func hide(s string) string   { return strings.ReplaceAll(s, "#", hash) }
func unhide(s string) string { return strings.ReplaceAll(s, hash, "#") }

// splitSSHLine splits one line as OpenSSH does: keyword, then arguments separated by white space or one `=`,
// double quotes around what holds spaces, a comment where an argument starts with `#`.
func splitSSHLine(line string) (key string, args []string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return clean(line), nil, nil
	}
	key, rest := line[:end], strings.TrimLeft(line[end:], " \t")
	if after, ok := strings.CutPrefix(rest, "="); ok {
		rest = after
	}
	for rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != '#'; rest = strings.TrimLeft(rest, " \t") {
		var arg string
		if arg, rest, err = cutArg(rest); err != nil {
			return "", nil, err
		}
		args = append(args, clean(arg))
	}
	return clean(key), args, nil
}

// cutArg takes one argument off the head; quotes may stand anywhere in it.
func cutArg(s string) (arg, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("a double quote is not closed")
	}
	return b.String(), "", nil
}

// get is the first value of a keyword for a name, as OpenSSH takes it.
func (f sshFile) get(name, key string) string {
	v, err := f.config.Get(name, key)
	if err != nil {
		return ""
	}
	return unhide(v)
}

func (f sshFile) all(name, key string) []string {
	values, err := f.config.GetAll(name, key)
	if err != nil {
		return nil
	}
	var out []string
	for _, v := range values {
		out = append(out, unhide(v))
	}
	return out
}

// fromSSHConfig makes a machine of every concrete Host entry, or of those that the user named.
func (ob *observer) fromSSHConfig(ctx context.Context) ([]Machine, error) {
	f, err := readSSHConfig(ob.tilde(ob.SSHConfig), ob.HomeDir)
	if err != nil {
		return nil, err
	}
	ob.notes = append(ob.notes, f.notes...)
	if len(f.hosts) == 0 {
		return nil, fmt.Errorf("--ssh-config %s names no host: expected at least one `Host NAME` line, as `vagrant ssh-config` prints", f.path)
	}
	names := unique(ob.Names)
	if len(names) == 0 {
		names = f.hosts
	}
	known := map[string]bool{}
	for _, h := range f.hosts {
		known[h] = true
	}
	return ob.each(len(names), func(i int) Machine {
		if !known[names[i]] {
			return ob.unknownName(names[i], f.hosts, f.path, "boxdoctor check --ssh-config "+shell.Quote(f.path)+" ")
		}
		return ob.configured(ctx, f, names[i])
	}), nil
}

// configured is one machine of an --ssh-config. When the project has a machine of that name, what is known
// of its VM counts for it, too.
func (ob *observer) configured(ctx context.Context, f sshFile, name string) Machine {
	m := ob.blank(name)
	m.Host.VM = facts.Unknownf[facts.VM]("the guest was given by --ssh-config, and this project has no running VM called %s", name)
	m.Host.Folders = facts.Unknownf[[]facts.SyncedFolder]("the guest was given by --ssh-config, and this project has no record of a machine %s", name)
	if dir, ok := ob.project.machine(name); ok && dir.ID != "" {
		own := ob.examine(ctx, dir)
		m.Host, m.Facts.UUID = own.Host, dir.ID
	}
	config, err := ob.configuredSSH(f, name, m.Facts.UUID)
	m.SSH, m.Facts.User = config, config.User
	if err != nil {
		return m.refuse(ClassConfig, "boxdoctor check --ssh "+config.User+"@ADDRESS:PORT -i KEY", err)
	}
	return m
}

// configuredSSH turns the entry into a way to dial. The error names what boxdoctor does not do.
func (ob *observer) configuredSSH(f sshFile, name, uuid string) (sshguest.Config, error) {
	host := name
	if h := f.get(name, "HostName"); h != "" {
		host = expand(h, map[byte]string{'h': name})
	}
	c := ob.ssh(name, strings.Trim(host, "[]"), 22)
	if u := f.get(name, "User"); u != "" && ob.User == "" {
		c.User = u
	}
	ob.configuredKeys(f, name, &c)
	ob.configuredHostKey(f, name, uuid, &c)
	c.Timeout = time.Duration(f.number(name, "ConnectTimeout", 600)) * time.Second
	c.AliveInterval = time.Duration(f.number(name, "ServerAliveInterval", 600)) * time.Second
	c.AliveMissed = f.number(name, "ServerAliveCountMax", 100)
	if p := f.get(name, "Port"); p != "" {
		n, ok := port(p)
		if !ok {
			return c, fmt.Errorf("machine %s: %s gives Port %q, expected a number from 1 to 65535", name, f.path, p)
		}
		c.Port = n
	}
	for _, key := range []string{"ProxyJump", "ProxyCommand"} {
		if v := f.get(name, key); v != "" && !strings.EqualFold(v, "none") {
			return c, fmt.Errorf("machine %s: %s asks for %s %s, which boxdoctor does not follow; open a forward with ssh -L yourself and name its end", name, f.path, key, v)
		}
	}
	if !hostForm(c.Host) {
		return c, fmt.Errorf("machine %s: %s gives HostName %q, which is no host name or address", name, f.path, c.Host)
	}
	return c, nil
}

// number is the value of an option that holds one; zero, which means the default, for any that is none or too large.
func (f sshFile) number(name, key string, most int) int {
	n, err := strconv.Atoi(f.get(name, key))
	if err != nil || n < 0 || n > most {
		return 0
	}
	return n
}

func (ob *observer) configuredKeys(f sshFile, name string, c *sshguest.Config) {
	values := map[byte]string{'h': c.Host, 'n': name, 'r': c.User, 'd': ob.HomeDir}
	for _, file := range f.all(name, "IdentityFile") {
		if !strings.EqualFold(file, "none") {
			c.KeyFiles = append(c.KeyFiles, ob.tilde(expand(file, values)))
		}
	}
	if len(c.KeyFiles) == 0 {
		c.KeyFiles = ob.userKeys()
	}
	c.UseAgent = !strings.EqualFold(f.get(name, "IdentitiesOnly"), "yes")
}

// configuredHostKey decides who vouches for the host key: the VM's own record for a loopback forward of a
// known VM; nobody, where the file says so as `vagrant ssh-config` does, on loopback only; else known_hosts.
func (ob *observer) configuredHostKey(f sshFile, name, uuid string, c *sshguest.Config) {
	if uuid != "" && loopback(c.Host) {
		c.HostKeyID, c.TrustFirstUse = uuid, true
		return
	}
	files := f.get(name, "UserKnownHostsFile")
	null := strings.EqualFold(files, "/dev/null") || strings.EqualFold(files, "none") || strings.EqualFold(files, "NUL")
	c.NoHostKeyFile = null && strings.EqualFold(f.get(name, "StrictHostKeyChecking"), "no") && loopback(c.Host)
	if files != "" && !null {
		c.KnownHosts = nil
		for _, file := range strings.Fields(files) {
			c.KnownHosts = append(c.KnownHosts, ob.tilde(expand(file, map[byte]string{'d': ob.HomeDir, 'h': c.Host, 'n': name})))
		}
	}
}

// expand replaces %h and the other tokens that are known; %% is a percent sign, unknown ones stay.
func expand(s string, values map[byte]string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if v, ok := values[s[i]]; ok {
			b.WriteString(v)
		} else if s[i] == '%' {
			b.WriteByte('%')
		} else {
			b.WriteString(s[i-1 : i+1])
		}
	}
	return b.String()
}

package probe

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed sections/*.sh
var files embed.FS

// section is one part of the script and how its output becomes facts.
type section struct {
	key facts.Key
	// limit is how long it may take in the guest.
	limit time.Duration
	// root: a part of it needs root, so sudo is asked beforehand.
	root bool
	fill filler
	// text is the section itself; empty: the file sections/KEY.sh.
	text string
}

// sections in the order in which they run: the clock first, because its arrival is measured; what may hang on
// a dead mount or a dead network last, because a stream that is cut keeps what came before.
func sections() []section {
	return []section{
		{facts.KeyClock, 5 * time.Second, false, clockFiller, ""},
		{facts.KeySystem, 10 * time.Second, false, into(func(g *facts.Guest) *facts.Value[facts.System] { return &g.System }, parseSystem), ""},
		{facts.KeySudo, 10 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Sudo] { return &g.Sudo }, parseSudo), ""},
		{facts.KeyKernel, 20 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Kernel] { return &g.Kernel }, parseKernel), ""},
		{facts.KeyPackages, 25 * time.Second, false, into(func(g *facts.Guest) *facts.Value[facts.Packages] { return &g.Packages }, parsePackages), ""},
		{facts.KeyLocks, 15 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Locks] { return &g.Locks }, parseLocks), ""},
		{facts.KeyTools, 10 * time.Second, false, into(func(g *facts.Guest) *facts.Value[facts.Tools] { return &g.Tools }, parseTools), ""},
		{facts.KeySpace, 20 * time.Second, false, into(func(g *facts.Guest) *facts.Value[[]facts.Space] { return &g.Space }, parseSpace), ""},
		{facts.KeyModules, 20 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Modules] { return &g.Modules }, parseModules), ""},
		{facts.KeyServices, 20 * time.Second, false, into(func(g *facts.Guest) *facts.Value[facts.Services] { return &g.Services }, parseServices), ""},
		{facts.KeySecurity, 10 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Security] { return &g.Security }, parseSecurity), ""},
		{facts.KeyGALog, 15 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.GALog] { return &g.GALog }, parseGALog), ""},
		{facts.KeyActivity, 10 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Activity] { return &g.Activity }, parseActivity), ""},
		{facts.KeyAdditions, 30 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Additions] { return &g.Additions }, parseAdditions), ""},
		{facts.KeyMongo, 20 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Mongo] { return &g.Mongo }, parseMongo), ""},
		{facts.KeyMounts, 20 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Mounts] { return &g.Mounts }, parseMounts), ""},
		{facts.KeyRepos, 15 * time.Second, false, into(func(g *facts.Guest) *facts.Value[facts.Repos] { return &g.Repos }, parseRepos), ""},
		{facts.KeyResolve, 60 * time.Second, true, into(func(g *facts.Guest) *facts.Value[facts.Resolve] { return &g.Resolve }, parseResolve), ""},
	}
}

// script is the whole text for these sections. The nonce is ours and plain hex; nothing else is put into it:
// what comes from outside travels as positional parameters.
func script(nonce string, list []section, slow int) (string, error) {
	pieces := make([]piece, 0, len(list))
	for _, s := range list {
		text, err := s.source()
		if err != nil {
			return "", err
		}
		pieces = append(pieces, piece{string(s.key), s.limit * time.Duration(slow), s.root, text})
	}
	return join(nonce, pieces, slow)
}

func (s section) source() (string, error) {
	if s.text != "" {
		return s.text, nil
	}
	text, err := files.ReadFile("sections/" + string(s.key) + ".sh")
	return trim(text), err
}

// piece is the text of one section.
type piece struct {
	name  string
	limit time.Duration
	root  bool
	text  string
}

func join(nonce string, pieces []piece, slow int) (string, error) {
	lib, err := files.ReadFile("sections/lib.sh")
	if err != nil {
		return "", err
	}
	driver, err := files.ReadFile("sections/driver.sh")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	// the text is an argument, not an assigned value: mvdan.cc/sh keeps the backslash of '\'' in assignments
	fmt.Fprintf(&b, "BD_NONCE=%s\nBD_SLOW=%d\nset_lib() { BD_LIB=$1; }\nset_lib %s\n%s\n", shell.Quote(nonce), slow, shell.Quote(trim(lib)), trim(driver))
	asked := false
	for _, p := range pieces {
		if p.root && !asked {
			asked = true
			b.WriteString("find_root\n")
		}
		fmt.Fprintf(&b, "section %s %d %s \"$@\"\n", p.name, int(p.limit.Seconds()), shell.Quote(p.text))
	}
	b.WriteString("exit 0\n")
	return b.String(), nil
}

// trim takes the comment lines off: they are for us, and the guest's process list need not carry them.
func trim(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimLeft(line, "\t "), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// args are the script's positional parameters; driver.sh says what they are.
func args(p Params) []string {
	out := []string{p.User, strconv.Itoa(len(p.Wanted))}
	for _, w := range p.Wanted {
		out = append(out, w.GuestPath, w.Owner, w.Group)
	}
	return append(out, p.Candidates...)
}

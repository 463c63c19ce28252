package provision

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/probe"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed sections/*.sh
var sections embed.FS

// Limits of one question and of the whole look.
const (
	questionLimit = 30 * time.Second
	observeLimit  = 3 * time.Minute
)

// observe asks for everything that the resources need, in one script of one session, as root.
func observe(ctx context.Context, g guest.Runner, n Needs, contents bool, now func() time.Time) (*State, error) {
	keys := []facts.Key{facts.KeySystem}
	if n.Holds {
		keys = append(keys, facts.KeyLocks)
	}
	qs, err := n.questions(contents)
	if err != nil {
		return nil, err
	}
	seen, answers, err := probe.Ask(ctx, g, keys, qs, probe.Params{User: "root", Sudo: true, Timeout: observeLimit}, now)
	if err != nil {
		return nil, err
	}
	sys, err := seen.System.Get()
	if err != nil {
		return nil, fmt.Errorf("the guest's system is not known: %w", err)
	}
	s := &State{System: sys, Guest: seen}
	s.files = read("file", answers["files"], readFile)
	s.packages = read("package", answers["packages"], readPackage)
	s.services = read("service", answers["services"], readService)
	s.users = read("user", answers["users"], readUser)
	s.groups = read("group", answers["groups"], readGroup)
	s.sysctls = read("sysctl", answers["sysctls"], readSysctl)
	s.folders = read("folder", answers["folders"], readFolder)
	s.commands = read("command", answers["commands"], readCommand)
	return s, nil
}

// questions are one section for each kind that anything is asked of.
func (n Needs) questions(contents bool) ([]probe.Question, error) {
	var out []probe.Question
	for _, k := range []struct {
		name  string
		names []string
	}{
		{"files", n.Files}, {"packages", n.Packages}, {"services", n.Services}, {"users", n.Users},
		{"groups", n.Groups}, {"sysctls", n.Sysctls}, {"folders", n.Folders},
	} {
		if len(k.names) == 0 {
			continue
		}
		text, err := sections.ReadFile("sections/" + k.name + ".sh")
		if err != nil {
			return nil, err
		}
		names := slices.Compact(slices.Sorted(slices.Values(k.names)))
		head := "set -- " + shell.Join(names) + "\n"
		if contents {
			head = "BD_CONTENT=yes\n" + head
		}
		out = append(out, probe.Question{Name: k.name, Limit: questionLimit, Text: head + string(text)})
	}
	if len(n.Commands) > 0 {
		out = append(out, probe.Question{Name: "commands", Limit: observeLimit / 2, Text: n.commands()})
	}
	return out, nil
}

// commandLimit is how long one command may take, in seconds.
const commandLimit = 20

// commands runs each in a shell of its own, and brings its status and the start of what it prints.
func (n Needs) commands() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(n.Commands)) {
		fmt.Fprintf(&b, "bd_out=$(lim %d sh -c %s 2>&1 </dev/null); tag command %s\" $?\"; printf '%%s\\n' \"$bd_out\" | head -c 65536 | sed 's/^/| /'; printf '\\n'\n",
			commandLimit, shell.Quote(n.Commands[id]), shell.Quote(id))
	}
	return b.String()
}

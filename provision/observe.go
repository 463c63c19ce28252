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
	s.guards = read("guard", answers["guards"], readGuard)
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
		{"groups", n.Groups}, {"sysctls", n.Sysctls},
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
	if len(n.Guards) > 0 {
		out = append(out, probe.Question{Name: "guards", Limit: observeLimit / 2, Text: n.guards()})
	}
	return out, nil
}

// guardLimit is how long one guard may take, in seconds.
const guardLimit = 20

// guards runs each guard in a shell of its own; what it prints is not wanted.
func (n Needs) guards() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(n.Guards)) {
		fmt.Fprintf(&b, "lim %d sh -c %s >/dev/null 2>&1 </dev/null; tag guard %s\" $?\"\n", guardLimit, shell.Quote(n.Guards[id]), shell.Quote(id))
	}
	return b.String()
}

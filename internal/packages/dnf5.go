package packages

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// dnf5: Fedora 41 and later.
var _ = register(Manager{
	Name:    "dnf5",
	install: dnf5Install,
	files:   []string{"dnf5", "-y", "install"}, offline: []string{"--disable-repo=*"},
	Remove: []string{"dnf5", "-y", "remove"},
	Cache:  "/var/cache/libdnf5", Clean: []string{"dnf5", "clean", "packages"},
	Undo:         "sudo dnf5 history undo last",
	Refresh:      "sudo dnf5 makecache",
	List:         func(string) string { return "sudo dnf5 --showduplicates list kernel-devel" },
	ExtraKernels: "sudo dnf5 remove --oldinstallonly   # keeps the running kernel and the newest ones (installonly_limit)",
	unlock: func(l facts.Lock, name, pkg string) string {
		if l.Kind == facts.LockExcl {
			return "sudo dnf5 '--setopt=disable_excludes=*' install " + pkg
		}
		return "sudo dnf5 versionlock delete " + name
	},
	locks:   tomlLocks,
	phrases: rpmPhrases,
	offers:  repoQuery,
})

func dnf5Install(i Install) []string {
	cmd := []string{"dnf5", "-y"}
	if i.LiftExcludes {
		cmd = append(cmd, "--setopt=disable_excludes=*")
	}
	cmd = append(append(cmd, fromRepository(i.Repository)...), "install")
	if i.Lenient {
		cmd = append(cmd, "--skip-unavailable")
	}
	return cmd
}

// tomlEntry is one [[packages]] of versionlock.toml.
type tomlEntry struct {
	name string
	// line is where the name stands, counting from 1.
	line       int
	conditions []tomlCondition
}

// tomlCondition is one condition; from and to are where its value stands, with the quotes.
type tomlCondition struct {
	key, comparator, value string
	from, to               int
}

// tomlToken is all that matters in versionlock.toml: a comment, a table's head, the start of an inline table, and a key
// with a string. dnf5 itself writes the file; it reads conditions that people write as inline tables, too.
var tomlToken = regexp.MustCompile(`(?m)#[^\n]*|^[ \t]*\[+([\w. \t"-]*)\]+|\{|([\w-]+)[ \t]*=[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*')`)

// tomlEntries reads versionlock.toml.
func tomlEntries(text string) []tomlEntry {
	var out []tomlEntry
	for _, at := range tomlToken.FindAllStringSubmatchIndex(text, -1) {
		last := len(out) - 1
		switch token := text[at[0]:at[1]]; {
		case at[2] >= 0 && strings.TrimSpace(text[at[2]:at[3]]) == "packages":
			out = append(out, tomlEntry{})
		case last < 0:
		case at[2] >= 0 && strings.TrimSpace(text[at[2]:at[3]]) == "packages.conditions", token == "{":
			out[last].conditions = append(out[last].conditions, tomlCondition{})
		case at[4] >= 0:
			out[last].set(text, text[at[4]:at[5]], at[6], at[7])
		}
	}
	return out
}

// set takes up a key whose quoted value stands between two places of the text.
func (e *tomlEntry) set(text, key string, from, to int) {
	value := text[from+1 : to-1]
	if n := len(e.conditions); n > 0 {
		e.conditions[n-1].set(key, value, from, to)
	} else if key == "name" {
		e.name, e.line = value, strings.Count(text[:from], "\n")+1
	}
}

func (c *tomlCondition) set(key, value string, from, to int) {
	switch key {
	case "key":
		c.key = value
	case "comparator":
		c.comparator = value
	case "value":
		c.value, c.from, c.to = value, from, to
	}
}

// tomlLocks are the entries of versionlock.toml by name; one without conditions locks nothing and is not among them.
func tomlLocks(file, text string) []facts.Lock {
	out := []facts.Lock{}
	for _, e := range tomlEntries(text) {
		if e.name != "" && len(e.conditions) > 0 {
			out = append(out, facts.Lock{Kind: facts.LockDNF5, File: file, Line: e.line, Entry: e.name})
		}
	}
	return out
}

// TOMLBlocks are the entries of versionlock.toml that keep a package out. The conditions of one entry must all hold;
// of several entries about the same package one that holds is enough.
func TOMLBlocks(content string, entries []facts.Lock, p version.NEVRA) []facts.Lock {
	var out []facts.Lock
	for _, e := range tomlEntries(content) {
		i := slices.IndexFunc(entries, func(l facts.Lock) bool { return l.Line == e.line })
		if i < 0 || !version.Glob(e.name, p.Name) {
			continue
		}
		if e.allows(p) {
			return nil
		}
		out = append(out, entries[i])
	}
	return out
}

// allows tells whether all conditions hold; dnf5 leaves out those that it does not understand.
func (e tomlEntry) allows(p version.NEVRA) bool {
	return !slices.ContainsFunc(e.conditions, func(c tomlCondition) bool {
		holds, valid := c.holds(p)
		return valid && !holds
	})
}

func (c tomlCondition) holds(p version.NEVRA) (holds, valid bool) {
	order := 0
	switch c.key {
	case "evr":
		want, err := version.ParseEVR(c.value)
		if err != nil {
			return false, false
		}
		order = version.EVR{Epoch: p.Epoch, Version: p.Version, Release: p.Release}.Compare(want)
	case "epoch":
		want, err := strconv.Atoi(c.value)
		if err != nil {
			return false, false
		}
		order = p.Epoch - want
	case "arch":
		if p.Arch == "" || !slices.Contains([]string{"=", "==", "!=", "<>"}, c.comparator) {
			return false, false
		}
		order = strings.Compare(p.Arch, c.value)
	default:
		return false, false
	}
	return compared(c.comparator, order)
}

func compared(comparator string, order int) (holds, valid bool) {
	switch comparator {
	case "=", "==":
		return order == 0, true
	case "!=", "<>":
		return order != 0, true
	case "<":
		return order < 0, true
	case "<=":
		return order <= 0, true
	case ">":
		return order > 0, true
	case ">=":
		return order >= 0, true
	}
	return false, false
}

// relockTOML pins the named packages to other releases: a condition that names one version gets the new one. Ranges
// and excluded versions stay: what they allow is the owner's wish, and dnf5 says so when it forbids the new version.
func relockTOML(content string, to map[string]string) string {
	var b strings.Builder
	done := 0
	for _, e := range tomlEntries(content) {
		release := releaseOf(e.name, to)
		for _, c := range e.conditions {
			if release != "" && c.key == "evr" && (c.comparator == "=" || c.comparator == "==") && c.from >= done && c.to > 0 {
				b.WriteString(content[done:c.from] + `"` + release + `"`)
				done = c.to
			}
		}
	}
	return b.String() + content[done:]
}

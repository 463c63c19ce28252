package fixes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

var _ = register(Fix{
	ID: "repositories.archive", Title: "Point the repositories of an ended release at its archive", Impact: ChangesPackages,
	Clears: []string{"repositories.end_of_life", "repositories.answer"},
	After:  []string{"locks.restore"},
	Rows:   []string{"L9", "L10", "L11", "L12", "L18"},
	Why: "The packages of an ended release are still there, in the vendor's archive. Each repository file is backed up and rewritten line by line; " +
		"gpgcheck and keys stay as they are.",
	Plan: planArchive,
})

func planArchive(in Input) ([]action.Action, error) {
	sys, err := in.Facts.Guest.System.Get()
	if err != nil {
		return nil, err
	}
	repos, err := in.Facts.Guest.Repos.Get()
	if err != nil {
		return nil, err
	}
	eol, past := knowledge.EndOfLife(sys.ID, sys.VersionID)
	if !past {
		return nil, nil
	}
	var out []action.Action
	eol = eol.Of(sys.Pretty)
	for _, file := range filesOf(assess.MovedRepos(sys, repos)) {
		i := slices.IndexFunc(repos.Files, func(c facts.ConfigFile) bool { return c.Path == file })
		if i < 0 {
			return nil, fmt.Errorf("the repository file %s could not be read, so it is not rewritten", file)
		}
		now := archived(sys, eol, repos.Files[i].Content)
		if now != repos.Files[i].Content {
			out = append(out, replaceFile(in, repos.Files[i], now))
		}
	}
	if len(out) > 0 && sys.Manager == "apt" {
		out = append(out, refreshJob(in))
	}
	return out, nil
}

func refreshJob(in Input) action.Job {
	return action.Job{Name: "fetch the package lists", Lib: lib, Script: "wait_idle\n" + refreshApt(in), Timeout: 10 * time.Minute,
		Stays: "apt's package lists are newer, which harms nothing"}
}

var _ = register(Fix{
	ID: "repositories.refresh", Title: "Fetch apt's package lists", Impact: Harmless,
	Clears: []string{"repositories.answer"},
	After:  []string{"locks.restore", "repositories.archive"},
	Rows:   []string{"L16"},
	Why:    "Many boxes of Debian and Ubuntu ship without package lists, and then apt knows no package at all: `Unable to locate package`.",
	Plan:   planRefresh,
})

func planRefresh(in Input) ([]action.Action, error) {
	res, err := in.Facts.Guest.Resolve.Get()
	if err != nil || manager(in) != "apt" {
		return nil, err
	}
	if !slices.ContainsFunc(res.Candidates, func(c facts.Candidate) bool { return c.State == facts.CandError }) {
		return nil, nil
	}
	return []action.Action{refreshJob(in)}, nil
}

func filesOf(repos []facts.Repo) []string {
	var out []string
	for _, r := range repos {
		if !slices.Contains(out, r.File) {
			out = append(out, r.File)
		}
	}
	return out
}

// replaceFile writes a new content over exactly the content that was observed.
func replaceFile(in Input, old facts.ConfigFile, content string) action.PutFile {
	sum := sha256.Sum256([]byte(old.Content))
	mode := os.FileMode(0o644)
	if m, err := strconv.ParseUint(old.Mode, 8, 32); err == nil {
		mode = os.FileMode(m).Perm()
	}
	return action.PutFile{Path: old.Path, Mode: mode, Content: content, WasSHA256: hex.EncodeToString(sum[:]),
		Backup: action.BackupRoot + "/" + in.RunID + old.Path}
}

func archived(sys facts.System, eol knowledge.Release, content string) string {
	if sys.ID == "centos" {
		return archivedYum(eol, content)
	}
	return archivedApt(sys, eol, content)
}

var (
	centosURL  = regexp.MustCompile(`^(\s*)#?\s*baseurl\s*=\s*https?://mirror(?:list)?\.centos\.org/(?:\$contentdir|centos|altarch)/(?:\$releasever|\$stream|\d[\w.-]*)/(.*)$`)
	mirrorLine = regexp.MustCompile(`^\s*mirrorlist\s*=.*(mirrorlist|mirror)\.centos\.org`)
)

// archivedYum comments the mirrorlist out and gives the base URL the archive's place.
func archivedYum(eol knowledge.Release, content string) string {
	lines := strings.Split(content, "\n")
	mirror := -1 // the mirrorlist of a section that has no base URL so far
	for i, line := range lines {
		switch m := centosURL.FindStringSubmatch(line); {
		case m != nil:
			lines[i], mirror = m[1]+"baseurl="+eol.Archive+"/"+m[2], -1
		case mirrorLine.MatchString(line):
			lines[i] = "#" + line
			if !sectionHasURL(lines, i) {
				mirror = i
			}
		}
		if end := i == len(lines)-1 || strings.HasPrefix(strings.TrimSpace(lines[i+1]), "["); end && mirror >= 0 {
			lines[mirror] += baseFromMirror(eol, lines[mirror])
			mirror = -1
		}
	}
	return strings.Join(lines, "\n")
}

// sectionHasURL looks back from line i to the head of its section for a base URL.
func sectionHasURL(lines []string, i int) bool {
	for ; i >= 0 && !strings.HasPrefix(strings.TrimSpace(lines[i]), "["); i-- {
		if strings.HasPrefix(strings.TrimSpace(lines[i]), "baseurl") {
			return true
		}
	}
	return false
}

var mirrorRepo = regexp.MustCompile(`[?&]repo=([A-Za-z0-9_.-]+)`)

// baseFromMirror is the line that a section needs which named nothing but a mirror list.
func baseFromMirror(eol knowledge.Release, line string) string {
	m := mirrorRepo.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	path := m[1] + "/$basearch/"
	if eol.Version == "8" {
		path += "os/"
	}
	return "\nbaseurl=" + eol.Archive + "/" + path
}

var (
	debianHost = regexp.MustCompile(`https?://[a-z0-9.-]+\.debian\.org/debian(-security)?/?`)
	// The security archive was once addressed by its host alone.
	debianSec  = regexp.MustCompile(`https?://[a-z0-9.-]+\.debian\.org/?(\s)`)
	ubuntuHost = regexp.MustCompile(`https?://(?:[a-z]{2}\.)?(?:archive|security)\.ubuntu\.com/ubuntu/?`)
	updates    = regexp.MustCompile(`^(\s*deb(?:-src)?\s.*\s\S+-updates\s.*)$`)
	suites     = regexp.MustCompile(`(?i)^suites:(.*)$`)
)

// archivedSuites takes the -updates suites out of a deb822 stanza; one that has no other suite is switched off.
func archivedSuites(line, names string) string {
	keep := slices.DeleteFunc(strings.Fields(names), func(s string) bool { return strings.HasSuffix(s, "-updates") })
	switch len(keep) {
	case len(strings.Fields(names)):
		return line
	case 0:
		return line + "\nEnabled: no"
	}
	return "Suites: " + strings.Join(keep, " ")
}

// archivedApt gives Debian and Ubuntu sources the archive's host. Debian's -updates suites do not exist there.
func archivedApt(sys facts.System, eol knowledge.Release, content string) string {
	if sys.ID == "ubuntu" {
		return ubuntuHost.ReplaceAllString(content, eol.Archive+"/")
	}
	root := strings.TrimSuffix(eol.Archive, "/debian")
	content = debianSec.ReplaceAllString(content, root+"/debian-security/$1")
	content = debianHost.ReplaceAllString(content, root+"/debian$1/")
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		if updates.MatchString(line) {
			lines[i] = "# " + line
		} else if m := suites.FindStringSubmatch(line); m != nil {
			lines[i] = archivedSuites(line, m[1])
		}
	}
	return strings.Join(lines, "\n")
}

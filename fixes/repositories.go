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
	return out, nil
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
		return archivedYum(sys, eol, content)
	}
	return archivedApt(sys, eol, content)
}

var (
	centosURL  = regexp.MustCompile(`^(\s*)#?\s*baseurl\s*=\s*https?://mirror(?:list)?\.centos\.org/(?:\$contentdir|centos|altarch)/(?:\$releasever|\$stream|\d[\w.-]*)/(.*)$`)
	mirrorLine = regexp.MustCompile(`^\s*mirrorlist\s*=.*(mirrorlist|mirror)\.centos\.org`)
)

// archivedYum comments the mirrorlist out and gives the base URL the archive's place.
func archivedYum(sys facts.System, eol knowledge.Release, content string) string {
	base := eol.Archive
	if eol.StreamArchive != "" && strings.Contains(strings.ToLower(sys.Pretty), "stream") {
		base = eol.StreamArchive
	}
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		switch m := centosURL.FindStringSubmatch(line); {
		case m != nil:
			lines[i] = m[1] + "baseurl=" + base + "/" + m[2]
		case mirrorLine.MatchString(line):
			lines[i] = "#" + line
		}
	}
	return strings.Join(lines, "\n")
}

var (
	debianHost = regexp.MustCompile(`https?://(?:deb|security|httpredir|ftp(?:\.[a-z]{2})?|cdn-fastly\.deb)\.debian\.org/debian(-security)?/?`)
	debianSec  = regexp.MustCompile(`https?://security\.debian\.org/?(\s)`)
	ubuntuHost = regexp.MustCompile(`https?://(?:[a-z]{2}\.)?(?:archive|security)\.ubuntu\.com/ubuntu/?`)
	updates    = regexp.MustCompile(`^(\s*deb(?:-src)?\s.*\s\S+-(?:updates|backports)\s.*)$`)
)

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
		}
	}
	return strings.Join(lines, "\n")
}

package fixes

import (
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// archived is the content of a repository file that names a release's archive. gpgcheck and keys stay as they are.
func archived(sys facts.System, eol knowledge.Release, content string) string {
	switch sys.ID {
	case "centos":
		if eol.AltArchive != "" && sys.Arch != "x86_64" {
			eol.Archive = eol.AltArchive
		}
		return archivedYum(eol, content)
	case "fedora":
		return archivedFedora(eol, content)
	case "opensuse", "opensuse-leap":
		return suseHost.ReplaceAllString(content, suseDiscontinued+"/$1/")
	}
	return archivedApt(sys, eol, content)
}

// lastMinor names the last minor release in place of others of the archive (row L13).
func lastMinor(eol knowledge.Release, content string) string {
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		lines[i] = vaultURL.ReplaceAllString(line, "${1}baseurl="+eol.Archive+"/$2")
	}
	return strings.Join(lines, "\n")
}

// suseDiscontinued is the folder of ended releases on one of openSUSE's mirrors; scripts of other projects were seen
// to install 42.1 to 15.0 from it. It is used only when openSUSE's own host does not answer for the release any more.
const suseDiscontinued = "http://ftp5.gwdg.de/pub/opensuse/discontinued"

// suseHost is the one host that all of openSUSE's own repositories name.
var suseHost = regexp.MustCompile(`https?://download\.opensuse\.org/(distribution|update)/`)

var (
	centosURL = regexp.MustCompile(`^(\s*)#?\s*baseurl\s*=\s*https?://mirror(?:list)?\.centos\.org/(?:\$contentdir|centos|altarch)/(?:\$releasever|\$stream|\d[\w.-]*)/(.*)$`)
	// vaultURL is another minor release in the archive; what stands there is the owner's wish as long as it answers.
	vaultURL   = regexp.MustCompile(`^(\s*)baseurl\s*=\s*https?://vault\.centos\.org/(?:centos/|altarch/)?\d[\w.-]*/(.*)$`)
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

var (
	fedoraURL    = regexp.MustCompile(`^(\s*)(#?)\s*baseurl\s*=\s*https?://[^\s/]+(?:/[^\s/]+)*?/fedora/linux/(.*)$`)
	fedoraMirror = regexp.MustCompile(`^\s*(?:metalink|mirrorlist)\s*=.*mirrors\.fedoraproject\.org`)
)

// archivedFedora gives each section that asked for a list of mirrors the base URL that stands beside it as a comment.
// A section without one is left alone: its list of mirrors is all that is known of it.
func archivedFedora(eol knowledge.Release, content string) string {
	root, _, _ := strings.Cut(eol.Archive, "/releases/")
	sections := strings.Split(content, "\n[")
	for i, section := range sections {
		lines := strings.Split(section, "\n")
		at := slices.IndexFunc(lines, fedoraURL.MatchString)
		if at < 0 {
			continue
		}
		lines[at] = fedoraURL.ReplaceAllString(lines[at], "${1}baseurl="+root+"/$3")
		for n, line := range lines {
			if fedoraMirror.MatchString(line) {
				lines[n] = "#" + line
			}
		}
		sections[i] = strings.Join(lines, "\n")
	}
	return strings.Join(sections, "\n[")
}

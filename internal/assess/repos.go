package assess

import (
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// goneHosts served a release until its end of life and do not any more, by distribution id.
var goneHosts = map[string][]string{
	"centos": {"mirrorlist.centos.org", "mirror.centos.org"},
	"debian": {".debian.org"}, // any mirror but the archive
	"ubuntu": {"archive.ubuntu.com", "security.ubuntu.com"},
	"fedora": {"/pub/fedora/linux/"}, // any mirror; a metalink finds the archive by itself
}

// MovedRepos are enabled repositories of a release past its end of life that still name the old hosts.
func MovedRepos(sys facts.System, repos facts.Repos) []facts.Repo {
	if _, past := knowledge.EndOfLife(sys.ID, sys.VersionID); !past {
		return nil
	}
	var out []facts.Repo
	for _, r := range repos.List {
		if r.Enabled && namesAny(r.BaseURL+" "+r.MirrorList, goneHosts[sys.ID]) {
			out = append(out, r)
		}
	}
	return out
}

func namesAny(text string, hosts []string) bool {
	if strings.Contains(text, "archive.debian.org") {
		return false
	}
	for _, h := range hosts {
		if strings.Contains(text, h) {
			return true
		}
	}
	return false
}

// Unanswered are the enabled repositories that a rewrite may help when the package manager cannot use them: of a release
// past its end of life, a list of mirrors or a host that has led to the archive by itself and does not any more, and a
// folder of the archive that is not there (row L13: another minor release than the last).
func Unanswered(sys facts.System, repos facts.Repos, res facts.Resolve) []facts.Repo {
	eol, past := knowledge.EndOfLife(sys.ID, sys.VersionID)
	said := ""
	for _, c := range res.Candidates {
		if c.State == facts.CandError {
			said += c.Text
		}
	}
	if !past || said == "" {
		return nil
	}
	var out []facts.Repo
	for _, r := range repos.List {
		silent := false
		switch sys.ID {
		case "centos":
			silent = strings.Contains(r.BaseURL, "vault.centos.org/") && !strings.HasPrefix(r.BaseURL, eol.Of(sys.Pretty).Archive) && strings.Contains(said, "404")
		case "fedora":
			silent = strings.Contains(r.MirrorList, "mirrors.fedoraproject.org")
		case "opensuse", "opensuse-leap":
			silent = strings.Contains(r.BaseURL, "download.opensuse.org")
		}
		if r.Enabled && silent {
			out = append(out, r)
		}
	}
	return out
}

// OldMinor is a guest whose kernel is of a minor release that has left the repositories (row L15).
type OldMinor struct {
	Running string // 9.2
	Offered string // 9.6, the minor that the repositories hold now
	// Vault is the base URL of the repository that still has the running kernel's devel package.
	Vault string
}

// minorRelease is the minor in a kernel release of EL: el9_2.
var minorRelease = regexp.MustCompile(`\.el(\d+)_(\d+)`)

// OldMinorOf tells whether the running kernel's minor release was moved to the vault: the repositories offer
// kernels of a later minor and no devel package for the running one.
func OldMinorOf(f *facts.Facts) (OldMinor, bool) {
	sys, res := f.Guest.System.Or(facts.System{}), f.Guest.Resolve.Or(facts.Resolve{})
	running := f.Guest.Kernel.Or(facts.Kernel{}).Running
	here := minorRelease.FindStringSubmatch(running)
	if here == nil || slices.Contains(res.DevelFor, running) {
		return OldMinor{}, false
	}
	newest := here
	for _, release := range res.DevelFor {
		m := minorRelease.FindStringSubmatch(release)
		if m != nil && m[1] == here[1] && version.RPMVerCmp(m[2], newest[2]) > 0 {
			newest = m
		}
	}
	old := OldMinor{Running: here[1] + "." + here[2], Offered: newest[1] + "." + newest[2]}
	vault, known := knowledge.MinorVault(sys.ID, here[1], old.Running, sys.Arch)
	old.Vault = vault
	return old, known && newest[2] != here[2]
}

// VaultKey is the file with the key that signs the distribution's packages, as the guest's own repositories name it;
// empty when none does. Without it nothing is taken from a vault.
func VaultKey(f *facts.Facts) string {
	for _, r := range f.Guest.Repos.Or(facts.Repos{}).List {
		if key, ok := strings.CutPrefix(r.GPGKey, "file://"); ok && r.Enabled {
			return key
		}
	}
	return ""
}

// vaultReleases are the kernels whose headers the vault of the running kernel's minor release still has (row L15).
func vaultReleases(f *facts.Facts, res facts.Resolve) []string {
	if VaultKey(f) == "" {
		return nil
	}
	return res.Vault.DevelFor
}

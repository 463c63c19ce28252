package checks

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Check{
	ID: "repositories.end_of_life", Title: "The repositories are where the packages are", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"L9", "L10", "L11", "L12", "L18"}, Needs: []facts.Key{facts.KeySystem, facts.KeyRepos}, After: []string{reachable}, Fix: "repositories.archive",
	Why: "When a release reaches its end of life its packages move to an archive and the old host names stop answering: " +
		"`Could not resolve host: mirrorlist.centos.org`, `Cannot prepare internal mirrorlist`, apt's 404. Nothing can be installed until the repository files say the new place.",
	Looks:  "os-release against a dated table of ends of life; the hosts in enabled repository files",
	Source: "guest-catalogue L9-L12, L18",
	Eval:   evalEndOfLife,
})

func evalEndOfLife(f *facts.Facts) finding.Verdict {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	repos, err := f.Guest.Repos.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	moved := assess.MovedRepos(sys, repos)
	if len(moved) > 0 {
		return eolVerdict(sys, moved)
	}
	if eol, ok := knowledge.EndOfLife(sys.ID, sys.VersionID); ok {
		return finding.Passf("%s is past its end of life (%s); none of its repositories names a host that is gone", sys.Pretty, eol.Of(sys.Pretty).EOL)
	}
	return finding.Passf("%d repositories", len(repos.List))
}

func eolVerdict(sys facts.System, moved []facts.Repo) finding.Verdict {
	var ids []string
	for _, r := range moved {
		ids = append(ids, r.ID)
	}
	v := finding.Failf("%s is past its end of life and its repositories have moved", sys.Pretty)
	if eol, ok := knowledge.EndOfLife(sys.ID, sys.VersionID); ok {
		eol = eol.Of(sys.Pretty)
		v = finding.Failf("%s reached its end of life on %s and its repositories have moved", sys.Pretty, eol.EOL).Diff(eol.Archive, strings.Join(ids, ", "))
	}
	if sys.ID == "centos" && !strings.HasPrefix(sys.VersionID, "8") {
		v = v.Likely("the archive's address is the vendor's; whether it answers this guest is seen when it is used")
	}
	return v
}

var _ = register(Check{
	ID: "repositories.old_minor", Title: "The repositories still hold the running kernel's minor release", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"L15"}, Needs: with(facts.KeyResolve, facts.KeyPackages), After: []string{reachable}, VirtualBoxOnly: true, Fix: "kernel.devel",
	Why: "Rocky Linux and AlmaLinux keep only the newest minor release in their repositories. A box built from an older one asks for a kernel-devel that " +
		"has moved to the vault: `Unable to find a match: kernel-devel-…`.",
	Looks:  "el9_2 in uname -r against the kernels that the repositories offer",
	Source: "guest-catalogue L15",
	Eval:   evalOldMinor,
})

func evalOldMinor(f *facts.Facts) finding.Verdict {
	needed, err := assess.NeededPackages(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if len(needed) == 0 {
		return finding.Passf("nothing has to be installed now")
	}
	if _, err := f.Guest.Resolve.Get(); err != nil {
		return finding.Cannot(err)
	}
	old, is := assess.OldMinorOf(f)
	if !is {
		return finding.Passf("the running kernel is not of an older minor release")
	}
	v := finding.Failf("the running kernel is of release %s; the repositories hold only %s, so %s is not to be had there", old.Running, old.Offered, needed[0]).
		Diff("kernel-devel of "+old.Running, "kernels of "+old.Offered).Likely("the vault's address is general knowledge; it is asked before anything is taken from it")
	if vault := f.Guest.Resolve.Or(facts.Resolve{}).Vault; vault.Text != "" {
		return v.Advise("the vault of that release did not answer ("+oneLine(vault.Text)+"); see for yourself in the guest", "curl -I "+old.Vault+"repodata/repomd.xml")
	}
	return v.Advise("keep the running kernel: take its kernel-devel from the vault, in the guest",
		"sudo dnf --repofrompath=vault,"+old.Vault+" --setopt=vault.gpgcheck=1 install "+needed[0])
}

var _ = register(Check{
	ID: "repositories.answer", Title: "The repositories answer", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"L9", "L11", "L13", "L14", "L16", "L17"}, Needs: with(facts.KeyRepos, facts.KeyResolve, facts.KeyActivity), After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"tools.python", "repositories.end_of_life", "repositories.way_out", "clock.skew"}, Fix: "repositories.refresh",
	Why:    "When a repository does not answer, no package can be installed, whatever else is right.",
	Looks:  "getent hosts for the hosts of enabled repositories; what the package manager says to `install --assumeno`, within 60 s",
	Source: "guest-catalogue L9-L17",
	Eval:   evalAnswer,
})

func evalAnswer(f *facts.Facts) finding.Verdict {
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Passf("nothing has to be installed now")
	}
	repos, err := f.Guest.Repos.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if dead := deadHosts(repos); len(dead) > 0 {
		return deadVerdict(f, dead)
	}
	res, err := f.Guest.Resolve.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	for _, c := range res.Candidates {
		if c.State == facts.CandError {
			return cannotUse(f, c.Text)
		}
	}
	return finding.Passf("%d hosts resolve", len(repos.Hosts))
}

// cannotUse tells the ways apart in which a package manager says no without having looked.
func cannotUse(f *facts.Facts, text string) finding.Verdict {
	v := finding.Failf("the package manager cannot use its repositories").Diff("an answer", oneLine(text))
	others := f.Guest.Activity.Or(facts.Activity{}).PackageManagers
	switch locked := saysLocked(text); {
	case locked && len(others) > 0:
		return finding.Cannot(fmt.Errorf("%w: another package manager is at work (%s), so this one was not asked; a repair waits for it",
			facts.ErrNotCollected, strings.Join(others, ", ")))
	case locked && strings.Contains(text, "lock database"):
		return v.Advise("no pacman runs, so one that crashed has left its lock; take it away in the guest", "sudo rm /var/lib/pacman/db.lck")
	case strings.Contains(text, "SyntaxError:"), strings.Contains(text, "No module named"):
		return v.Advise("its Python was replaced or broken (boxdoctor explain tools.python); look which one it uses, in the guest", "head -n 1 /usr/bin/yum; ls -l /usr/bin/python*")
	case strings.Contains(text, "Unknown repo:"):
		return v.Advise("a repository is named that this release does not have (CentOS 7 calls its own base and updates, 8 and later baseos and appstream); "+
			"leave --enablerepo out, and see what there is in the guest", "sudo "+f.Guest.System.Or(facts.System{}).Manager+" repolist all")
	}
	return v.Advise("see for yourself in the guest", makeCache(f))
}

// saysLocked recognises the words of a package manager that waits for another one.
func saysLocked(text string) bool {
	for _, words := range []string{"Could not get lock", "lock database", "obtain lock", "transaction lock", "Existing lock", "management is locked", "currently holding the yum lock"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// deadVerdict: a dead third-party host does no harm where the package manager goes on without it.
func deadVerdict(f *facts.Facts, dead []string) finding.Verdict {
	v := finding.Failf("these hosts of enabled repositories do not resolve in the guest: %s", strings.Join(dead, ", "))
	res := f.Guest.Resolve.Or(facts.Resolve{})
	if len(res.DevelFor) > 0 || slices.ContainsFunc(res.Candidates, func(c facts.Candidate) bool { return c.State == facts.CandAvailable }) {
		v = finding.Warnf("these hosts of enabled repositories do not resolve in the guest, the package manager works without them: %s", strings.Join(dead, ", "))
	}
	return v.Diff("an address", "none").Advise("look at the guest's name service", "getent hosts "+dead[0]+"; cat /etc/resolv.conf")
}

// deadHosts are hosts that do not resolve, of enabled repositories.
func deadHosts(r facts.Repos) []string {
	var out []string
	for host, state := range r.Hosts {
		if state == "no" && slices.ContainsFunc(r.List, func(rp facts.Repo) bool { return rp.Enabled && usesHost(rp, host) }) {
			out = append(out, host)
		}
	}
	sort.Strings(out)
	return out
}

var _ = register(Check{
	ID: "repositories.way_out", Title: "The guest has a way to its repositories", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"L17"}, Needs: with(facts.KeyRepos), After: []string{reachable}, VirtualBoxOnly: true, CausedBy: []string{"repositories.end_of_life"},
	Why: "A guest without a default route, or whose name service is dead while the host's works, cannot install anything. That is another trouble than " +
		"repositories that have moved, and has another repair: the VM's network, a proxy, or package files from this host.",
	Looks:  "/proc/net/route, /etc/resolv.conf, the guest's proxies, getent hosts in the guest, and the same names asked on this host",
	Source: "guest-catalogue L17; issue of proxy-only and offline guests",
	Eval:   evalWayOut,
})

func evalWayOut(f *facts.Facts) finding.Verdict {
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	repos, err := f.Guest.Repos.Get()
	switch {
	case !needed:
		return finding.Passf("nothing has to be installed now")
	case err != nil:
		return finding.Cannot(err)
	case len(repos.Hosts) == 0:
		return finding.Passf("no repository is on another machine")
	case repos.Proxy != "":
		return finding.Passf("by the proxy of %s: %s", repos.ProxyFrom, repos.Proxy)
	case repos.Route == "no":
		v := finding.Failf("the guest has no way out: no default route and no proxy").Diff("a default route", "none")
		return adviseOffline(v.Advise("see what network adapters the guest has; Vagrant's first one is NAT and gives it a route", "ip addr; ip route"), f)
	}
	return judgeNames(f, repos)
}

// judgeNames: that no name resolves means something only beside what this host says of the same names.
func judgeNames(f *facts.Facts, repos facts.Repos) finding.Verdict {
	var dead, here []string
	for host, state := range repos.Hosts {
		if state == "yes" {
			return finding.Passf("%s resolves", host)
		}
		dead = append(dead, host)
		if f.Host.Resolves[host] {
			here = append(here, host)
		}
	}
	slices.Sort(dead)
	slices.Sort(here)
	if len(here) == 0 {
		return finding.Cannot(fmt.Errorf("%w: neither the guest nor this host resolves %s", facts.ErrNotCollected, strings.Join(dead, ", ")))
	}
	v := finding.Failf("the guest resolves no name of its repositories, and this host resolves %s", strings.Join(here, ", ")).
		Diff("an address for "+here[0], "none (name servers: "+orNone(strings.Join(repos.Nameservers, ", "))+")")
	if vm := f.Host.VM.Or(facts.VM{}); vm.Name != "" {
		v = v.Advise("let VirtualBox resolve names as this host does (the VM must be off)", "VBoxManage modifyvm "+shell.Quote(vm.Name)+" --natdnshostresolver1 on")
	}
	return adviseOffline(v, f)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// adviseOffline names the way that needs no network, with the files that it needs.
func adviseOffline(v finding.Verdict, f *facts.Facts) finding.Verdict {
	needed, _ := assess.NeededPackages(f)
	text := "or put package files into a folder of this host"
	if len(needed) > 0 {
		text += ", " + needed[0] + " and what it depends on among them"
	}
	return v.Advise(text+"; boxdoctor uploads and installs them", "boxdoctor fix --packages DIR")
}

func usesHost(r facts.Repo, host string) bool {
	for _, u := range []string{r.BaseURL, r.MirrorList} {
		if parsed, err := url.Parse(u); err == nil && parsed.Hostname() == host {
			return true
		}
	}
	return false
}

func makeCache(f *facts.Facts) string {
	m, _ := packages.Of(f.Guest.System.Or(facts.System{}).Manager)
	return m.Refresh
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

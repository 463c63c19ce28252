package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

const boxDocs = "https://developer.hashicorp.com/vagrant/docs/boxes"

// oldServers are hosts where the catalogue of boxes no longer is.
var oldServers = []string{"atlas.hashicorp.com", "app.vagrantup.com"}

var _ = register(Check{
	ID: "box.old_server", Title: "Boxes are looked for where they are now", Target: OnHost, Severity: finding.Major, Rows: []string{"box.old_server"}, Level: LevelAuto, Fix: "host.metadata_url",
	Link:  vagrantIssues + "9442",
	Why:   "The catalogue moved twice. An old VAGRANT_SERVER_URL, or an old address kept beside an installed box, gives 404 for `vagrant up` and `vagrant box update`.",
	Looks: "VAGRANT_SERVER_URL and the metadata_url files of installed boxes", Source: "host-catalogue 1.8",
	Eval: onEnv(func(f *facts.Facts, e facts.Env) finding.Verdict {
		for _, host := range oldServers {
			if strings.Contains(e.ServerURL, host) {
				return finding.Failf("VAGRANT_SERVER_URL names %s, which is switched off", e.ServerURL).Diff("https://vagrantcloud.com, or nothing", e.ServerURL).Advise("unset it", "unset VAGRANT_SERVER_URL").ByHand()
			}
		}
		for _, b := range f.Host.Preflight.Home.Or(facts.VagrantHome{}).Boxes {
			if strings.Contains(b.MetadataURL, oldServers[0]) {
				return finding.Warnf("the box %s is kept up to date from %s, which is switched off", b.Name, oldServers[0]).Diff("https://vagrantcloud.com/"+b.Name, b.MetadataURL).
					Advise("boxdoctor can rewrite the address", "boxdoctor fix --only box.old_server")
			}
		}
		return finding.Passf("%s", orNone(e.ServerURL))
	}),
})

// partials hands the cut-off and running downloads to a judge.
func partials(judge func([]facts.Download) finding.Verdict) eval {
	return onHome(func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict { return judge(h.Partial) })
}

var _ = register(Check{
	ID: "box.html_not_json", Title: "What was downloaded is no web page", Target: OnHost, Severity: finding.Major, Rows: []string{"box.html_not_json"}, Level: LevelAuto, Fix: "host.downloads",
	Link:  vagrantIssues + "13571",
	Why:   "A login page or a proxy's page was saved in place of a box; Vagrant resumes that download and never gets a box.",
	Looks: "the beginning of the files tmp/box… of the Vagrant home", Source: "host-catalogue 1.8",
	Eval: partials(func(all []facts.Download) finding.Verdict {
		for _, d := range all {
			if d.HTML {
				return finding.Failf("%s is a web page, not a box", d.Path).Diff("a box", "HTML").Advise("take it away and try again; log in first for a private box", "rm "+quoted(d.Path))
			}
		}
		return finding.Passf("%d downloads", len(all))
	}),
})

// stalledAfter is how many minutes without a byte make a download that still holds its lock suspicious.
const stalledAfter = 10

var _ = register(Check{
	ID: "box.download_locked", Title: "No other download of a box is in the way", Target: OnHost, Severity: finding.Major, Rows: []string{"box.download_locked"}, Level: LevelAuto,
	Link:  boxDocs,
	Why:   "`Download to global Vagrant location already in progress.` Another vagrant downloads the same box, or hangs in it.",
	Looks: "whether the .lock beside tmp/box… of the Vagrant home is held, and when its last byte came", Source: "host-catalogue 1.8",
	Eval: partials(func(all []facts.Download) finding.Verdict {
		for _, d := range all {
			switch {
			case d.Held && d.AgeMinutes >= stalledAfter:
				return finding.Failf("a box download hangs: %s is locked by a process and got no byte for %d minutes", d.Path, d.AgeMinutes).Diff("bytes that come", "none").
					Advise("find that process and end it; the download is resumed", "fuser -v "+quoted(d.Path+".lock"))
			case d.Held:
				return finding.Warnf("another vagrant downloads a box right now (%d MB so far)", d.Size>>20).Diff("no download", d.Path).Advise("wait for it", "")
			}
		}
		return finding.Passf("none")
	}),
})

var _ = register(Check{
	ID: "box.download_slow", Title: "No box download was cut off", Target: OnHost, Severity: finding.Minor, Rows: []string{"box.download_slow"}, Level: LevelConfirm, CausedBy: []string{"box.html_not_json"},
	Link:  vagrantIssues + "5319",
	Why:   "`Box download is resuming from prior download progress`: Vagrant resumes only what is younger than a day, over one connection; some servers stall every time.",
	Looks: "files tmp/box… of the Vagrant home whose lock nobody holds", Source: "host-catalogue 1.8",
	Eval: partials(func(all []facts.Download) finding.Verdict {
		for _, d := range all {
			if !d.Held && !d.HTML {
				return finding.Warnf("a box download was cut off after %d MB, %d minutes ago", d.Size>>20, d.AgeMinutes).Diff("no part of a box", d.Path).
					Advise("`vagrant up` resumes it within a day; if it stalls again, download the file with another program and add it under the box's name", "vagrant box add NAME FILE")
			}
		}
		return finding.Passf("none")
	}),
})

var _ = register(Check{
	ID: "box.corrupt", Title: "The installed boxes are whole", Target: OnHost, Severity: finding.Critical, Rows: []string{"box.corrupt"}, Level: LevelConfirm,
	Link:  boxDocs,
	Why:   "`The \"metadata.json\" file for the box 'X' was not found.` `The VM import failed!` An addition that was cut off leaves half a box.",
	Looks: "metadata.json, box.ovf and the disks that it names, of each box", Source: "host-catalogue 1.8",
	Eval: onHome(func(f *facts.Facts, h facts.VagrantHome) finding.Verdict {
		used := usedBoxes(f, h)
		for _, b := range h.Boxes {
			if b.Damage == "" {
				continue
			}
			again := fmt.Sprintf("vagrant box remove %s --box-version %s --provider %s --force && vagrant box add %s --box-version %s", quoted(b.Name), quoted(b.Version), quoted(b.Provider), quoted(b.Name), quoted(b.Version))
			if slices.ContainsFunc(used, func(u facts.Box) bool { return u.Path == b.Path }) {
				return finding.Failf("the box %s %s, which this project uses, is broken: %s", b.Name, b.Version, b.Damage).Diff("a whole box", b.Damage).Advise("remove it and add it again", again)
			}
			return finding.Warnf("the box %s %s is broken: %s", b.Name, b.Version, b.Damage).Diff("a whole box", b.Damage).Advise("remove it and add it again", again)
		}
		return finding.Passf("%d boxes", len(h.Boxes))
	}),
})

// need is the space that a first `vagrant up` takes: unpacked once below the Vagrant home, once as a VM.
const needMB = 3000

var _ = register(Check{
	ID: "disk.full", Title: "There is room for boxes and machines", Target: OnHost, Severity: finding.Critical, Rows: []string{"disk.full"}, Level: LevelConfirm,
	Link:  vagrantIssues + "7736",
	Why:   "`The box failed to unpackage properly`, `VERR_DISK_FULL`: a box lies there as an archive, unpacked, and once more as the VM's disk.",
	Looks: "free space of the Vagrant home and of VirtualBox's machine folder, against the box's size", Source: "host-catalogue 1.8",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.Disk] { return p.Disk }, evalDisk),
})

func evalDisk(f *facts.Facts, d facts.Disk) finding.Verdict {
	h := f.Host.Preflight.Home.Or(facts.VagrantHome{})
	need := 0
	for _, b := range usedBoxes(f, h) {
		need += b.SizeMB
	}
	installed := need > 0
	if !installed {
		need = needMB
	}
	places := []facts.FolderSpace{d.Machines}
	if !installed {
		places = append(places, d.VagrantHome) // the box is still to be unpacked there
	}
	for _, s := range places {
		switch {
		case s.Path == "":
			continue
		case s.FreeMB < 0:
			return finding.Cannot(fmt.Errorf("%w: the free space of %s could not be read", facts.ErrNotCollected, s.Path))
		case s.FreeMB < need/4:
			return clean(finding.Failf("%d MB are free in %s", s.FreeMB, s.Path).Diff(fmt.Sprintf("%d MB", need), fmt.Sprintf("%d MB", s.FreeMB)), h)
		case s.FreeMB < need:
			return clean(finding.Warnf("only %d MB are free in %s", s.FreeMB, s.Path).Diff(fmt.Sprintf("%d MB", need), fmt.Sprintf("%d MB", s.FreeMB)), h)
		}
	}
	return finding.Passf("%d MB and %d MB", d.VagrantHome.FreeMB, d.Machines.FreeMB)
}

// clean advises what can go.
func clean(v finding.Verdict, h facts.VagrantHome) finding.Verdict {
	if len(h.OldTemp) > 0 {
		v = v.Advise(fmt.Sprintf("%d unpacked boxes of cut-off additions take %d MB", len(h.OldTemp), h.OldTempMB), "rm -r "+quoted(h.OldTemp[0]))
	} else {
		v = v.ByHand()
	}
	return v.Advise("remove boxes that are out of date", "vagrant box prune")
}

var _ = register(Check{
	ID: "tls.ca", Title: "The certificate bundles that variables name can be read", Target: OnHost, Severity: finding.Critical, Rows: []string{"tls.ca"}, Level: LevelAuto,
	Link:  vagrantIssues + "11120",
	Why:   "`SSL certificate problem: unable to get local issuer certificate`, `error setting certificate verify locations`: a company inspects TLS, or a shell exports a path that Vagrant's own curl cannot open. SSL_CERT_FILE alone does not help Vagrant.",
	Looks: "the files that CURL_CA_BUNDLE and SSL_CERT_FILE name; nothing is connected to", Source: "host-catalogue 1.8",
	Eval: onEnv(func(_ *facts.Facts, e facts.Env) finding.Verdict {
		curl := false
		for _, c := range e.CABundle {
			curl = curl || c.Variable == "CURL_CA_BUNDLE"
			if c.Problem != "" {
				return finding.Failf("%s names %s: %s", c.Variable, c.Path, c.Problem).Diff("a file of certificates in PEM form", c.Problem).
					Advise("name the company's bundle with a path that native programs understand, or unset it", "export CURL_CA_BUNDLE=/path/to/company-bundle.pem")
			}
		}
		if len(e.CABundle) > 0 && !curl {
			return finding.Warnf("SSL_CERT_FILE is set and CURL_CA_BUNDLE is not: Vagrant's downloads only look at the latter").Diff("CURL_CA_BUNDLE", "SSL_CERT_FILE").
				Advise("name the same file", `export CURL_CA_BUNDLE="$SSL_CERT_FILE"`)
		}
		return finding.Passf("%d variables", len(e.CABundle))
	}),
})

var _ = register(Check{
	ID: "tls.revocation_win", Title: "Downloads do not fail where revocation servers are blocked", Target: OnHost, Severity: finding.Minor, Rows: []string{"tls.revocation_win"}, Level: LevelManual,
	Link:  "https://github.com/hashicorp/vagrant/pull/13214",
	Why:   "Behind a proxy Windows cannot ask whether a certificate was revoked, and Vagrant before 2.4.0 then refuses it.",
	Looks: "Vagrant's version and the proxy variables", Source: "host-catalogue 1.8",
	Eval: onOS("windows", ruled("tls.revocation_win", onEnv(func(f *facts.Facts, e facts.Env) finding.Verdict {
		if len(e.Proxies) == 0 && e.NoProxy == "" {
			return finding.Passf("no proxy is set")
		}
		v := versions(f).Vagrant
		return finding.Warnf("Vagrant %s behind a proxy may refuse every download", v).Diff("2.4.0 or later", v).Advise("upgrade Vagrant", "winget upgrade Hashicorp.Vagrant")
	}))),
})

var _ = register(Check{
	ID: "proxy.local_down", Title: "The proxy on this host answers", Target: OnHost, Severity: finding.Critical, Rows: []string{"proxy.local_down"}, Level: LevelManual,
	Link:  vagrantIssues + "6333",
	Why:   "`Connection refused` to localhost: a proxy variable points to a cntlm or px that does not run.",
	Looks: "HTTP_PROXY and its kin; a proxy on this host's loopback is connected to, others are not", Source: "host-catalogue 1.8",
	Eval: onEnv(func(_ *facts.Facts, e facts.Env) finding.Verdict {
		for _, p := range e.Proxies {
			if !p.Answers {
				return finding.Failf("%s names %s, where nothing answers", p.Variable, p.Address).Diff("a proxy that answers", "nothing").Advise("start the proxy, or take the variable away", "unset "+p.Variable)
			}
		}
		return finding.Passf("%d on this host", len(e.Proxies))
	}),
})

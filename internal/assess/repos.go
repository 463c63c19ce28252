package assess

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// goneHosts served a release until its end of life and do not any more, by distribution id.
var goneHosts = map[string][]string{
	"centos": {"mirrorlist.centos.org", "mirror.centos.org"},
	"debian": {"deb.debian.org", "security.debian.org", "httpredir.debian.org", "ftp.debian.org", ".debian.org"},
	"ubuntu": {"archive.ubuntu.com", "security.ubuntu.com"},
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

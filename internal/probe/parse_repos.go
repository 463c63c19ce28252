package probe

import (
	"errors"
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
)

func parseRepos(b body) (facts.Repos, error) {
	r := facts.Repos{List: []facts.Repo{}, Files: b.configs(), Hosts: map[string]string{}}
	if words := b.text("none"); words != "" {
		return r, errors.New(words)
	}
	for _, h := range b.texts("host") {
		code, name, _ := strings.Cut(h, " ")
		switch code {
		case "0":
			r.Hosts[name] = "yes"
		case "2":
			r.Hosts[name] = "no"
		default: // no answer in time, or no getent that answers: not known
			r.Hosts[name] = ""
		}
	}
	r.Route, r.Nameservers = b.text("route"), b.texts("nameserver")
	r.Proxy, r.ProxyFrom = proxy(b)
	for _, f := range b.files("file") {
		r.List = append(r.List, reposOf(f.path, f.content)...)
	}
	return r, nil
}

// proxy is the one that the package manager uses: its own configuration's, else that of the whole guest.
func proxy(b body) (url, from string) {
	for _, f := range []string{"/etc/dnf/dnf.conf", "/etc/yum.conf"} {
		if p := packages.Setting(Clean(b.file(f)), "main", "proxy"); p != "" && p != "_none_" {
			return withoutLogin(p), f
		}
	}
	for _, v := range b.texts("proxy") {
		file, p, _ := strings.Cut(v, " ")
		if p = strings.Trim(p, `"'`); p != "" && !strings.ContainsAny(p, "$`") && (url == "" || file == "apt.conf") {
			url, from = withoutLogin(p), file
		}
	}
	return url, from
}

func reposOf(path, text string) []facts.Repo {
	switch {
	case strings.HasSuffix(path, ".repo"):
		return iniRepos(path, text)
	case strings.HasSuffix(path, ".list"):
		return aptLines(path, text)
	case strings.HasSuffix(path, ".sources"):
		return aptStanzas(path, text)
	case strings.HasSuffix(path, "/pacman.conf"):
		return pacmanRepos(path, text)
	}
	// yum.conf may hold repositories too
	return iniRepos(path, text)
}

// iniRepos reads a .repo file of yum, dnf or zypper.
func iniRepos(path, text string) []facts.Repo {
	out := []facts.Repo{}
	for _, e := range packages.ParseINI(Clean(text)) {
		if e.Section == "" || e.Section == "main" {
			continue
		}
		if n := len(out); n == 0 || out[n-1].ID != e.Section {
			out = append(out, facts.Repo{ID: e.Section, File: path, Enabled: true})
		}
		repoValue(&out[len(out)-1], e)
	}
	return out
}

func repoValue(r *facts.Repo, e packages.Entry) {
	switch strings.ToLower(e.Key) {
	case "name":
		r.Name = e.Text()
	case "enabled":
		r.Enabled = packages.Truth(e.Text(), true)
	case "baseurl":
		if len(e.Words) > 0 {
			r.BaseURL = withoutLogin(e.Words[0].Text)
		}
	case "mirrorlist", "metalink":
		r.MirrorList = withoutLogin(e.Text())
	case "gpgcheck":
		r.GPGCheck = e.Text()
	case "gpgkey":
		if len(e.Words) > 0 {
			r.GPGKey = e.Words[0].Text
		}
	}
}

var login = regexp.MustCompile(`://[^/@\s]*@`)

// withoutLogin takes a user name and password out of a URL: it is shown to people.
func withoutLogin(url string) string { return login.ReplaceAllString(url, "://") }

var aptOptions = regexp.MustCompile(`^\[[^\]]*\]\s*`)

// aptLines reads one-line sources: "deb [options] URI suite components". A line that is commented out is not a
// repository.
func aptLines(path, text string) []facts.Repo {
	out := []facts.Repo{}
	for line := range strings.Lines(Clean(text)) {
		kind, rest, ok := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		if !ok || kind != "deb" && kind != "deb-src" {
			continue
		}
		rest = strings.TrimSpace(rest)
		trusted := gpgCheck(aptOptions.FindString(rest))
		w := strings.Fields(aptOptions.ReplaceAllString(rest, ""))
		if len(w) >= 2 {
			out = append(out, facts.Repo{ID: w[1], Name: strings.Join(append([]string{kind}, w[2:]...), " "), File: path,
				Enabled: true, BaseURL: withoutLogin(w[0]), GPGCheck: trusted})
		}
	}
	return out
}

// gpgCheck is apt's trusted option as written.
func gpgCheck(options string) string {
	for _, w := range strings.Fields(strings.Trim(strings.TrimSpace(options), "[]")) {
		if strings.HasPrefix(w, "trusted=") || strings.HasPrefix(w, "allow-insecure=") {
			return w
		}
	}
	return ""
}

// aptStanzas reads deb822 sources: one repository for each suite of each stanza, with its first URI.
func aptStanzas(path, text string) []facts.Repo {
	out := []facts.Repo{}
	stanza, last := map[string]string{}, ""
	flush := func() {
		uris := strings.Fields(stanza["uris"])
		for _, suite := range strings.Fields(stanza["suites"]) {
			if len(uris) == 0 {
				break
			}
			r := facts.Repo{ID: suite, Name: strings.TrimSpace(stanza["types"] + " " + stanza["components"]), File: path,
				Enabled: packages.Truth(stanza["enabled"], true), BaseURL: withoutLogin(uris[0])}
			if v := stanza["trusted"]; v != "" {
				r.GPGCheck = "trusted=" + v
			}
			out = append(out, r)
		}
		stanza, last = map[string]string{}, ""
	}
	for line := range strings.Lines(Clean(text)) {
		key, value, ok := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			stanza[last] = strings.TrimSpace(stanza[last] + " " + strings.TrimSpace(line))
		case ok:
			last = strings.ToLower(strings.TrimSpace(key))
			stanza[last] = strings.TrimSpace(value)
		}
	}
	flush()
	return out
}

// pacmanRepos reads the sections of pacman.conf other than options.
func pacmanRepos(path, text string) []facts.Repo {
	out := []facts.Repo{}
	for _, e := range packages.ParseINI(Clean(text)) {
		if e.Section == "" || e.Section == "options" {
			continue
		}
		if n := len(out); n == 0 || out[n-1].ID != e.Section {
			out = append(out, facts.Repo{ID: e.Section, Name: e.Section, File: path, Enabled: true})
		}
		r := &out[len(out)-1]
		switch e.Key {
		case "Server":
			if r.BaseURL == "" {
				r.BaseURL = withoutLogin(e.Text())
			}
		case "Include":
			r.MirrorList = e.Text()
		case "SigLevel":
			r.GPGCheck = e.Text()
		}
	}
	return out
}

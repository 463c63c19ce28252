package provision

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// mongoSource is where MongoDB comes from on one guest.
type mongoSource struct {
	line  knowledge.MongoLine
	spec  *MongoSpec
	repo  *RepositoryResource
	local *localPackages
	names []string
}

// source chooses the line and the repository for a guest (D5, D6), or takes the packages of a folder.
func (v *MongoSpec) source(at place, g facts.Guest) (mongoSource, error) {
	sys := g.System.Or(facts.System{})
	out := mongoSource{spec: v}
	guest, known := knowledge.MongoGuestOf(sys.ID, sys.IDLike, sys.VersionID)
	switch {
	case offers(at.Packages, "mongodb-org-server"):
		return out, out.fromFiles(at.Packages, sys, guest)
	case v.Packages != "":
		return out, out.fromFolder(at.Dir, v.Packages, sys, guest)
	}
	if !known {
		return out, fmt.Errorf("MongoDB has no packages for %s; where you have some: packages: FOLDER", or(sys.Pretty, "this system"))
	}
	series := guest.Default
	if v.Version != "" {
		line, err := knowledge.MongoLineOf(v.Version)
		if err != nil {
			return out, err
		}
		if !slices.Contains(guest.Series, line.Series) {
			return out, fmt.Errorf("MongoDB %s has no packages for %s; there are %s", v.Version, sys.Pretty, strings.Join(guest.Series, ", "))
		}
		series = []string{line.Series}
	}
	return out, out.fromRepository(at, g, guest, series)
}

// fingerprintOf is checkFingerprint; no test has MongoDB's real keys.
var fingerprintOf = checkFingerprint

// fromRepository takes the first suite whose index really holds the server. What an earlier run chose stays.
func (m *mongoSource) fromRepository(at place, g facts.Guest, guest knowledge.MongoGuest, series []string) error {
	sys := g.System.Or(facts.System{})
	var tried []string
	var chosen *candidate
	for _, c := range candidates(or(m.spec.Mirror, mongoRepo), guest, series, sys.Arch) {
		if c.standsIn(g.Repos.Or(facts.Repos{})) {
			chosen = &c
			break
		}
	}
	for _, c := range candidates(or(m.spec.Mirror, mongoRepo), guest, series, sys.Arch) {
		if chosen != nil {
			break
		}
		if err := c.holdsServer(at.Index); err != nil {
			tried = append(tried, err.Error())
			continue
		}
		chosen = &c
	}
	if chosen == nil {
		return fmt.Errorf("no repository of MongoDB %s for %s holds mongodb-org-server: %s; name a mirror (mirror: URL) or a folder (packages: FOLDER)",
			strings.Join(series, ", "), sys.Pretty, strings.Join(tried, "; "))
	}
	line, err := knowledge.MongoLineOf(chosen.series)
	if err != nil {
		return err
	}
	m.line, m.names = line, serverPackages(line.Series, sys)
	spec := keySpec{URL: mongoKeys + line.Key, Fingerprint: line.Fingerprint}
	key, err := at.Vault.Public(line.Key, func() (string, error) { return spec.read(at.Input) })
	if err == nil {
		err = fingerprintOf([]byte(key), line.Fingerprint)
	}
	if err != nil {
		return err
	}
	m.repo = chosen.resource(key)
	return nil
}

// candidate is one suite of one line.
type candidate struct {
	base, series, suite, arch string
	guest                     knowledge.MongoGuest
}

func candidates(base string, guest knowledge.MongoGuest, series []string, arch string) []candidate {
	var out []candidate
	for _, s := range series {
		for _, suite := range guest.Suites {
			out = append(out, candidate{strings.TrimRight(base, "/"), s, suite, arch, guest})
		}
	}
	return out
}

func (c candidate) name() string { return "mongodb-org-" + c.series }

// resource is the repository; the key rule is the table's: 8.x share a key, 9.x has one of another name.
func (c candidate) resource(key string) *RepositoryResource {
	r := &RepositoryResource{Name: c.name(), Key: key}
	if c.guest.Family == "apt" {
		r.Apt = &aptSource{URI: c.base + "/apt/" + c.guest.Where, Suite: c.suite + "/mongodb-org/" + c.series, Components: []string{c.guest.Component}}
	} else {
		r.Yum = &yumSource{BaseURL: c.yum()}
	}
	return r
}

func (c candidate) yum() string {
	return c.base + "/yum/" + c.suite + "/mongodb-org/" + c.series + "/" + c.arch + "/"
}

// standsIn tells whether the guest has this repository by an earlier run: then it is not asked for again.
func (c candidate) standsIn(r facts.Repos) bool {
	want := c.yum()
	if c.guest.Family == "apt" {
		want = c.base + "/apt/" + c.guest.Where + " " + c.suite + "/mongodb-org/" + c.series + " "
	}
	return slices.ContainsFunc(r.Files, func(f facts.ConfigFile) bool {
		return strings.HasPrefix(filepath.Base(f.Path), c.name()+".") && strings.Contains(f.Content, want)
	})
}

// holdsServer looks into the index of packages: that the suite answers proves nothing (D6).
func (c candidate) holdsServer(fetch func(string) ([]byte, error)) error {
	if fetch == nil {
		return nil // nobody can look from here; the guest's package manager will say
	}
	if c.guest.Family == "apt" {
		arch := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[c.arch]
		url := fmt.Sprintf("%s/apt/%s/dists/%s/mongodb-org/%s/%s/binary-%s/Packages.gz", c.base, c.guest.Where, c.suite, c.series, c.guest.Component, or(arch, "amd64"))
		return lists(fetch, url, regexp.MustCompile(`(?m)^Package: mongodb-org-server$`))
	}
	text, err := fetch(c.yum() + "repodata/repomd.xml")
	if err != nil {
		return err
	}
	var md struct {
		Data []struct {
			Type     string `xml:"type,attr"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"data"`
	}
	if err := xml.Unmarshal(text, &md); err != nil {
		return fmt.Errorf("%srepodata/repomd.xml: %w", c.yum(), err)
	}
	for _, d := range md.Data {
		if d.Type == "primary" && !strings.Contains(d.Location.Href, "..") {
			return lists(fetch, c.yum()+d.Location.Href, regexp.MustCompile(`<name>mongodb-org-server</name>`))
		}
	}
	return fmt.Errorf("%srepodata/repomd.xml names no list of packages", c.yum())
}

// indexLimit bounds a list of packages once it is unpacked.
const indexLimit = 64 << 20

func lists(fetch func(string) ([]byte, error), url string, what *regexp.Regexp) error {
	text, err := fetch(url)
	if err != nil {
		return err
	}
	if z, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
		if text, err = io.ReadAll(io.LimitReader(z, indexLimit)); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	if !what.Match(text) {
		return fmt.Errorf("%s does not list mongodb-org-server", url)
	}
	return nil
}

// serverPackages: no mongos, and the older shell where there is no mongosh.
func serverPackages(series string, sys facts.System) []string {
	if major, _, _ := strings.Cut(sys.VersionID, "."); series == "4.4" && (major == "6" || sys.Manager == "yum" && major < "7") {
		return []string{"mongodb-org-server", "mongodb-org-shell", "mongodb-org-tools"}
	}
	return []string{"mongodb-org-server", "mongodb-mongosh", "mongodb-org-tools"}
}

// resources are the repository and the packages, held unless told otherwise: an unattended upgrade would restart the
// members at the same time.
func (m mongoSource) resources() []Resource {
	if m.repo == nil {
		return []Resource{*m.local}
	}
	hold := m.spec.Hold == nil || *m.spec.Hold
	out := []Resource{*m.repo}
	for _, n := range m.names {
		p := PackageResource{Name: n, State: Present, Hold: hold && n == "mongodb-org-server"}
		if n == "mongodb-org-server" && m.spec.Version != "" && m.spec.Version != m.line.Series {
			p.Version = m.spec.Version + "*"
		}
		out = append(out, p)
	}
	return out
}

// fromFolder takes the packages of a folder of the host.
func (m *mongoSource) fromFolder(base, dir string, sys facts.System, guest knowledge.MongoGuest) error {
	files, _, err := Folder(under(base, dir))
	if err != nil {
		return err
	}
	return m.fromFiles(files, sys, guest)
}

// fromFiles takes packages that lie on the host.
func (m *mongoSource) fromFiles(files []action.Upload, sys facts.System, guest knowledge.MongoGuest) error {
	var err error
	if m.local, err = localOf("mongo", files, sys.Manager); err != nil {
		return err
	}
	m.names = m.local.names
	if !slices.Contains(m.names, "mongodb-org-server") {
		return fmt.Errorf("mongodb-org-server is not among the packages of the folder: %s", strings.Join(m.names, ", "))
	}
	version := m.spec.Version
	if version == "" && len(guest.Default) > 0 {
		version = guest.Default[0]
	}
	m.line, err = knowledge.MongoLineOf(version)
	return err
}

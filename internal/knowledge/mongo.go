package knowledge

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"
)

// MongoLine is one release line of the MongoDB server.
type MongoLine struct {
	Series string `yaml:"series"` // "8.0"
	EOL    string `yaml:"eol"`
	// CPU is the flag that its builds need: avx, avx2, or none.
	CPU string `yaml:"cpu"`
	// Kernels are releases that it does not run on, as a constraint; empty: it runs on all.
	Kernels     string `yaml:"kernels"`
	Key         string `yaml:"key"`
	Fingerprint string `yaml:"fingerprint"`
}

// MongoGuest says which lines have packages for a kind of guest, and where.
type MongoGuest struct {
	IDs       []string `yaml:"ids"`
	Version   string   `yaml:"version"` // major, or whole for Ubuntu; empty: any
	Family    string   `yaml:"family"`  // yum, apt
	Where     string   `yaml:"where"`
	Component string   `yaml:"component"`
	Suites    []string `yaml:"suites"`
	Series    []string `yaml:"series"`
	Default   []string `yaml:"default"`
}

type mongoTable struct {
	Lines   []MongoLine  `yaml:"lines"`
	Guests  []MongoGuest `yaml:"guests"`
	Options []string     `yaml:"options"`
}

// loadMongo parses the table once, on first use; a malformed one is a programming error that a test catches.
var loadMongo = sync.OnceValue(func() mongoTable {
	var t mongoTable
	if err := embedded("data/mongo.yaml", &t); err != nil {
		panic(err)
	}
	return t
})

// MongoLineOf is the line of a version, "8.0" or "8.0.4".
func MongoLineOf(v string) (MongoLine, error) {
	for _, l := range loadMongo().Lines {
		if v == l.Series || strings.HasPrefix(v, l.Series+".") {
			return l, nil
		}
	}
	var known []string
	for _, l := range loadMongo().Lines {
		known = append(known, l.Series)
	}
	return MongoLine{}, fmt.Errorf("%q is no line of MongoDB that boxdoctor knows: %s", v, strings.Join(known, ", "))
}

// RunsOn tells whether the line runs on a kernel (uname -r). An unreadable release is given the benefit.
func (l MongoLine) RunsOn(release string) bool {
	if l.Kernels == "" {
		return true
	}
	plain := strings.FieldsFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if len(plain) == 0 {
		return true
	}
	v, err := version.NewVersion(strings.Trim(plain[0], "."))
	c, cerr := version.NewConstraint(l.Kernels)
	return err != nil || cerr != nil || !c.Check(v)
}

// MongoGuestOf finds what is packaged for a guest by its os-release.
func MongoGuestOf(id string, like []string, versionID string) (MongoGuest, bool) {
	if id != "fedora" && (slices.Contains([]string{"centos", "rhel", "almalinux", "rocky", "ol"}, id) || slices.Contains(like, "rhel") || slices.Contains(like, "centos")) {
		id = "el"
	}
	major, _, _ := strings.Cut(versionID, ".")
	for _, g := range loadMongo().Guests {
		if slices.Contains(g.IDs, id) && (g.Version == "" || g.Version == versionID || g.Version == major) {
			return g, true
		}
	}
	return MongoGuest{}, false
}

// MongoOption tells whether mongod.conf knows an option by its full name.
func MongoOption(name string) bool {
	return slices.ContainsFunc(loadMongo().Options, func(o string) bool {
		below, any := strings.CutSuffix(o, "*")
		return o == name || any && strings.HasPrefix(name, below)
	})
}

// MongoOptions are all options of mongod.conf.
func MongoOptions() []string { return loadMongo().Options }

package provision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/boxdoctor/boxdoctor/internal/action"
)

// RepositoryResource declares a repository of the guest's package manager, signed by one key.
type RepositoryResource struct {
	Name string
	Apt  *aptSource
	Yum  *yumSource
	// Key is the armored key; its fingerprint was checked. Empty: none of ours.
	Key string
}

type aptSource struct {
	URI        string   `yaml:"uri"`
	Suite      string   `yaml:"suite"`
	Components []string `yaml:"components"`
}

type yumSource struct {
	BaseURL string `yaml:"baseurl"`
	// Check: the repository's own index is signed, too, with the same key.
	Check bool `yaml:"repo_gpgcheck"`
}

type repositorySpec struct {
	Name string     `yaml:"name"`
	Apt  *aptSource `yaml:"apt"`
	Yum  *yumSource `yaml:"yum"`
	Key  *keySpec   `yaml:"key"`
}

type keySpec struct {
	File        string `yaml:"file"`
	URL         string `yaml:"url"`
	Fingerprint string `yaml:"fingerprint"`
}

// ID is "repository/" and the name.
func (r RepositoryResource) ID() string { return "repository/" + r.Name }

// Needs are the files of every family: which one counts is known when the guest has answered.
func (r RepositoryResource) Needs() Needs {
	var n Needs
	for m := range managers {
		for _, f := range r.files(m) {
			n.add(f.Needs())
		}
	}
	return n
}

// files are the key and the definition for one package manager; none when it is not declared for its family.
func (r RepositoryResource) files(manager string) []FileResource {
	switch manager {
	case "apt":
		if r.Apt == nil {
			return nil
		}
		return r.aptFiles()
	case "yum", "dnf", "dnf5":
		return r.yumFiles("/etc/yum.repos.d/")
	case "zypper":
		return r.yumFiles("/etc/zypp/repos.d/")
	}
	return nil
}

func (r RepositoryResource) aptFiles() []FileResource {
	var out []FileResource
	options := ""
	if r.Key != "" {
		key := "/usr/share/keyrings/boxdoctor-" + r.Name + ".asc"
		out = append(out, FileResource{Path: key, Content: r.Key, Mode: configMode, State: Present})
		options = "[signed-by=" + key + "] "
	}
	line := fmt.Sprintf("# boxdoctor provision\ndeb %s%s %s %s", options, r.Apt.URI, r.Apt.Suite, strings.Join(r.Apt.Components, " "))
	return append(out, FileResource{Path: "/etc/apt/sources.list.d/" + r.Name + ".list", Content: strings.TrimRight(line, " ") + "\n", Mode: configMode, State: Present})
}

func (r RepositoryResource) yumFiles(dir string) []FileResource {
	if r.Yum == nil {
		return nil
	}
	var out []FileResource
	check := "gpgcheck=0\n"
	if r.Key != "" {
		key := "/etc/pki/rpm-gpg/RPM-GPG-KEY-boxdoctor-" + r.Name
		out = append(out, FileResource{Path: key, Content: r.Key, Mode: configMode, State: Present})
		check = "gpgcheck=1\ngpgkey=file://" + key + "\n"
		if r.Yum.Check {
			check += "repo_gpgcheck=1\n"
		}
	}
	text := fmt.Sprintf("# boxdoctor provision\n[%s]\nname=%s\nbaseurl=%s\nenabled=1\n%s", r.Name, r.Name, r.Yum.BaseURL, check)
	return append(out, FileResource{Path: dir + r.Name + ".repo", Content: text, Mode: configMode, State: Present})
}

// Diff compares the files of the guest's family. apt fetches the lists of a new repository at once, so that an
// address that does not answer is this step's failure.
func (r RepositoryResource) Diff(s *State) ([]Change, error) {
	files := r.files(s.System.Manager)
	if len(files) == 0 {
		return nil, fmt.Errorf("repository %s is not declared for %s", r.Name, or(s.System.Manager, s.System.Pretty))
	}
	var out []Change
	for _, f := range files {
		changes, err := f.Diff(s)
		if err != nil {
			return nil, err
		}
		out = append(out, changes...)
	}
	if len(out) > 0 && s.System.Manager == "apt" {
		job := action.Job{Name: "fetch the lists of " + r.Name, Args: []string{files[len(files)-1].Path}, Lib: s.Lib, Timeout: 5 * time.Minute, Brief: true,
			Script: "run apt-get -q update -o Dir::Etc::sourcelist=\"$1\" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0\n",
			Undo:   "sudo apt-get update, once the repository is gone"}
		out = append(out, Change{What: "package lists", From: "old", To: "fetched", Do: []action.Action{job}})
	}
	return out, nil
}

func (r repositorySpec) resource(in Input) (Resource, error) {
	out := RepositoryResource{Name: r.Name, Apt: r.Apt, Yum: r.Yum}
	if r.Apt == nil && r.Yum == nil {
		return nil, fmt.Errorf("repository %s: say where it is: apt, yum, or both", r.Name)
	}
	for _, word := range r.words() {
		if strings.ContainsAny(word, " \t\r\n[]") {
			return nil, fmt.Errorf("repository %s: %q holds blanks or brackets", r.Name, word)
		}
	}
	var err error
	if r.Key != nil {
		out.Key, err = r.Key.read(in)
	}
	return out, errors.Join(err, checkName("repository", r.Name))
}

func (r repositorySpec) words() []string {
	var out []string
	if r.Apt != nil {
		out = append(out, r.Apt.Components...)
		out = append(out, r.Apt.URI, r.Apt.Suite)
	}
	if r.Yum != nil {
		out = append(out, r.Yum.BaseURL)
	}
	return out
}

// read brings the key from the project or its URL and checks its fingerprint: whoever answers at the URL must not
// decide what the guest trusts.
func (k keySpec) read(in Input) (string, error) {
	var text []byte
	var err error
	switch {
	case k.Fingerprint == "" || (k.File == "") == (k.URL == ""):
		return "", errors.New("key: a fingerprint and exactly one of file and url are wanted")
	case k.URL != "":
		text, err = in.Fetch(k.URL)
	default:
		text, err = os.ReadFile(filepath.Join(in.Dir, filepath.FromSlash(k.File)))
	}
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	return string(text), checkFingerprint(text, k.Fingerprint)
}

// checkFingerprint wants exactly the keys of the fingerprint: a second key beside the right one would be trusted, too.
func checkFingerprint(armored []byte, want string) error {
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(armored))
	if err != nil {
		return fmt.Errorf("key: not an armored OpenPGP key: %w", err)
	}
	want = strings.ToUpper(strings.NewReplacer(" ", "", ":", "").Replace(want))
	for _, e := range list {
		if got := strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint)); got != want {
			return fmt.Errorf("key: its fingerprint is %s, wanted %s: it is not used", got, want)
		}
	}
	if len(list) == 0 {
		return errors.New("key: the file holds none")
	}
	return nil
}

package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// maxPlugins and maxBoxes bound what is looked at of a Vagrant home.
const (
	maxPlugins = 200
	maxBoxes   = 500
)

// home reads ~/.vagrant.d.
func (ob *observer) home() facts.Value[facts.VagrantHome] {
	h := facts.VagrantHome{Path: ob.vagrantHome()}
	info, err := os.Stat(h.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return facts.Known(h)
	case err != nil:
		return facts.Unknownf[facts.VagrantHome]("%v", err)
	case !info.IsDir():
		h.Exists, h.Denied = true, "it is not a folder"
		return facts.Known(h)
	}
	h.Exists, h.Denied = true, denied(h.Path)
	h.SetupVersion = readLine(filepath.Join(h.Path, "setup_version"))
	h.IndexPath = filepath.Join(h.Path, "data", "machine-index", "index")
	h.Index, h.IndexEmpty = indexState(h.IndexPath)
	h.Rubies = rubies(filepath.Join(h.Path, "gems"))
	h.Plugins = ob.plugins(h)
	h.Boxes = boxes(filepath.Join(h.Path, "boxes"))
	h.Partial, h.OldTemp, h.OldTempMB = ob.temporary(filepath.Join(h.Path, "tmp"))
	return facts.Known(h)
}

// indexState judges the file as Vagrant reads it. An empty one raises no error there: every machine is then forgotten.
func indexState(path string) (damage string, empty bool) {
	data, err := readBounded(path, 16<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false
	case err != nil:
		return err.Error(), false
	case len(bytes.TrimSpace(data)) == 0:
		return "it is empty", true
	}
	var x struct {
		Version  any             `json:"version"`
		Machines json.RawMessage `json:"machines"`
	}
	if err := json.Unmarshal(data, &x); err != nil {
		return fmt.Sprintf("it is not JSON: %v", err), false
	}
	if fmt.Sprint(x.Version) != "1" {
		return fmt.Sprintf("its version is %.20v, Vagrant reads version 1", x.Version), false
	}
	return "", false
}

// rubies are the folders of gems, one for each Ruby that plugins were installed with, oldest first.
func rubies(dir string) []string {
	var found []*goversion.Version
	entries, _ := os.ReadDir(dir) // no folder: no plugins
	for _, e := range entries {
		if v, err := goversion.NewVersion(e.Name()); err == nil && e.IsDir() {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *goversion.Version) int { return a.Compare(b) })
	var out []string
	for _, v := range found {
		out = append(out, v.Original())
	}
	return out
}

// plugins lists those of the user and those of the project.
func (ob *observer) plugins(h facts.VagrantHome) []facts.Plugin {
	all := readPlugins(filepath.Join(h.Path, "plugins.json"), filepath.Join(h.Path, "gems"), last(h.Rubies), false)
	if ob.project.Root != "" {
		gems := filepath.Join(ob.project.Data, "plugins", "gems")
		all = append(all, readPlugins(filepath.Join(ob.project.Data, "plugins.json"), gems, last(rubies(gems)), true)...)
	}
	return all
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)

func readPlugins(state, gems, ruby string, local bool) []facts.Plugin {
	data, err := readBounded(state, maxStateFile)
	if err != nil {
		return nil
	}
	var x struct {
		Installed map[string]struct {
			Ruby    string `json:"ruby_version"`
			Version string `json:"installed_gem_version"`
			Gem     string `json:"gem_version"`
		} `json:"installed"`
	}
	if json.Unmarshal(data, &x) != nil {
		return nil
	}
	var all []facts.Plugin
	for name, p := range x.Installed {
		version := p.Version
		if version == "" {
			version = p.Gem
		}
		if !plainName.MatchString(name) || len(all) == maxPlugins {
			continue
		}
		one := facts.Plugin{Name: name, Version: clean(version), Ruby: clean(p.Ruby), Local: local}
		one.Folder, one.Removed = pluginCode(filepath.Join(gems, ruby, "gems"), name, version, atLeast(ruby, "3.2"))
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b facts.Plugin) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// atLeast compares two plain versions; a malformed one is not at least anything.
func atLeast(v, min string) bool {
	a, err := goversion.NewVersion(v)
	return err == nil && a.GreaterThanOrEqual(goversion.Must(goversion.NewVersion(min)))
}

// pluginCode finds a plugin's folder and, where Ruby has removed them, the calls that end it.
func pluginCode(dir, name, version string, search bool) (there bool, removed string) {
	pattern := name + "-*"
	if plainName.MatchString(version) {
		pattern = name + "-" + version
	}
	found, _ := filepath.Glob(filepath.Join(dir, pattern)) // names are plain
	if len(found) == 0 {
		return false, ""
	}
	if search {
		removed = removedCall(filepath.Join(last(found), "lib"))
	}
	return true, removed
}

// removedForm are the two calls that Ruby 3.2 removed, outside of comments.
var removedForm = regexp.MustCompile(`(?m)^[^#\n]*\b(?:File|Dir)\.exists\?`)

// removedCall is the first file:line below dir with such a call.
func removedCall(dir string) string {
	where, files := "", 0
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what cannot be read is passed over
		if files++; where != "" || files > 3000 {
			return fs.SkipAll
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".rb") {
			where = removedIn(path)
		}
		return nil
	})
	return where
}

func removedIn(path string) string {
	data, err := readBounded(path, maxStateFile)
	if err != nil {
		return ""
	}
	at := removedForm.FindIndex(data)
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", clean(path), bytes.Count(data[:at[1]], []byte("\n"))+1)
}

// temporary looks at downloads that are under way or were cut off, and at unpacked boxes that were left behind.
func (ob *observer) temporary(dir string) (partial []facts.Download, old []string, oldMB int) {
	entries, _ := os.ReadDir(dir) // no folder: nothing was ever downloaded
	for _, e := range entries[:min(len(entries), maxBoxes)] {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil {
			continue
		}
		age := ob.now().Sub(info.ModTime())
		switch {
		case partialForm.MatchString(e.Name()) && info.Mode().IsRegular():
			partial = append(partial, facts.Download{Path: path, Size: info.Size(), Held: held(path + ".lock"),
				AgeMinutes: max(0, int(age.Minutes())), HTML: isHTML(path)})
		case strings.HasPrefix(e.Name(), "vagrant-box-add-temp-") && e.IsDir() && age > 24*time.Hour:
			old = append(old, path)
			oldMB += sizeMB(path)
		}
	}
	return partial, old, oldMB
}

var partialForm = regexp.MustCompile(`^box[0-9a-f]{40}$`)

// isHTML: a page (of a proxy, of a login) was saved in place of a box.
func isHTML(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.Read(head) // a short or empty file is no page
	low := bytes.ToLower(bytes.TrimSpace(head[:n]))
	return bytes.HasPrefix(low, []byte("<!doctype html")) || bytes.HasPrefix(low, []byte("<html"))
}

// sizeMB is the size of all files below a folder, bounded.
func sizeMB(dir string) int {
	var sum int64
	files := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // an estimate
		if files++; files > 5000 {
			return fs.SkipAll
		}
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return int(sum >> 20)
}

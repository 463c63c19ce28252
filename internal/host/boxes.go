package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// boxes lists boxes/NAME/VERSION/[ARCH/]PROVIDER.
func boxes(dir string) []facts.Box {
	all := []facts.Box{}
	for _, name := range folders(dir) {
		file := filepath.Join(dir, name, "metadata_url")
		url, metadata := readLine(file), textFile(file)
		for _, version := range folders(filepath.Join(dir, name)) {
			for _, b := range boxesOf(filepath.Join(dir, name, version)) {
				b.Name, b.Version, b.MetadataURL, b.Metadata = boxName(name), clean(version), url, metadata
				if len(all) < maxBoxes {
					all = append(all, b)
				}
			}
		}
	}
	return all
}

// boxName undoes the spelling of a box's folder.
func boxName(folder string) string {
	return clean(strings.NewReplacer("-VAGRANTSLASH-", "/", "-VAGRANTCOLON-", ":").Replace(folder))
}

func folders(dir string) []string {
	entries, _ := os.ReadDir(dir) // none: nothing in it
	var all []string
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, e.Name())
		}
	}
	return all
}

// boxesOf finds the providers of one version; since Vagrant 2.4.0 there is a folder for the architecture between.
func boxesOf(dir string) []facts.Box {
	var all []facts.Box
	for _, name := range folders(dir) {
		path := filepath.Join(dir, name)
		if regular(filepath.Join(path, "metadata.json")) {
			all = append(all, readBox(path, name, ""))
			continue
		}
		inner := folders(path)
		for _, provider := range inner {
			all = append(all, readBox(filepath.Join(path, provider), provider, name))
		}
		if len(inner) == 0 {
			all = append(all, readBox(path, name, ""))
		}
	}
	return all
}

// readBox looks whether what an import needs is there.
func readBox(path, provider, arch string) facts.Box {
	b := facts.Box{Provider: clean(provider), Arch: clean(arch), Path: path}
	var meta struct {
		Provider string `json:"provider"`
		Arch     string `json:"architecture"`
	}
	data, err := readBounded(filepath.Join(path, "metadata.json"), maxStateFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.Damage = "metadata.json is missing"
	case err != nil:
		b.Damage = err.Error()
	case json.Unmarshal(trimBOM(data), &meta) != nil:
		b.Damage = "metadata.json is not JSON"
	}
	if b.Arch == "" {
		b.Arch = clean(meta.Arch)
	}
	if b.Damage == "" && b.Provider == "virtualbox" {
		b.Damage = missingDisk(path)
	}
	b.SizeMB = sizeMB(path)
	return b
}

// diskRef is a file that box.ovf names.
var diskRef = regexp.MustCompile(`<(?:ovf:)?File\s[^>]*href="([^"]{1,200})"`)

// missingDisk says what of the files that box.ovf names is not there.
func missingDisk(path string) string {
	data, err := readBounded(filepath.Join(path, "box.ovf"), maxXML)
	if errors.Is(err, fs.ErrNotExist) {
		return "box.ovf is missing"
	}
	if err != nil {
		return err.Error()
	}
	for _, m := range diskRef.FindAllSubmatch(data, 20) {
		name := string(m[1])
		if filepath.Base(name) != name {
			continue // not beside it: nothing that can be judged here
		}
		if _, err := os.Stat(filepath.Join(path, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Sprintf("%s, which box.ovf names, is missing", clean(name))
		}
	}
	return ""
}

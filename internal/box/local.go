package box

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// FileName is the name for the file of a box, which tells what it is.
func (c Choice) FileName() string {
	parts := []string{strings.ReplaceAll(c.Name, "/", "-"), c.Version, c.Provider.Name}
	if c.Provider.Architecture != "" && c.Provider.Architecture != "unknown" {
		parts = append(parts, c.Provider.Architecture)
	}
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "-") + ".box"
}

// Local is metadata that leads to the file of a box on this computer. `vagrant box add` of a file alone makes a box of version 0 that
// belongs to no name in a registry; with metadata it keeps both.
func (c Choice) Local(file string) ([]byte, error) {
	p := c.Provider
	p.URL = FileURL(file)
	if c.Sum.IsZero() {
		p.Checksum, p.ChecksumType = "", ""
	}
	return json.MarshalIndent(Metadata{c.Name, []Version{{Version: c.Version, Providers: []Provider{p}}}}, "", "  ")
}

// FileURL is the address of a file on this computer: file:///tmp/x, file:///C:/x.
func FileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// folder is the folder of a box below Vagrant's home.
func (c Choice) folder(home string) string {
	return filepath.Join(home, "boxes", strings.NewReplacer("/", "-VAGRANTSLASH-", ":", "-VAGRANTCOLON-").Replace(c.Name))
}

// Installed is the folder in which Vagrant has the box already; empty: it has not.
func (c Choice) Installed(home string) string {
	for _, dir := range []string{filepath.Join(c.folder(home), c.Version, clean(c.Provider.Architecture), c.Provider.Name), filepath.Join(c.folder(home), c.Version, c.Provider.Name)} {
		if _, err := os.Stat(filepath.Join(dir, "metadata.json")); err == nil {
			return dir
		}
	}
	return ""
}

// KeepOrigin writes into Vagrant's record of a box where its metadata comes from. Vagrant noted the local metadata, which is
// soon gone; later it would look there for newer versions. Only a record that names local is changed.
func (c Choice) KeepOrigin(home, local string) error {
	record := filepath.Join(c.folder(home), "metadata_url")
	noted, err := os.ReadFile(record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && sameFile(string(noted), local) {
		err = os.WriteFile(record, []byte(c.MetadataURL), 0o644)
	}
	if err != nil {
		return fmt.Errorf("Vagrant will look for updates of %s in the wrong place: %w", c.Name, err)
	}
	return nil
}

// sameFile compares what Vagrant noted with the path of a file: it notes an address, whose escapes are its own.
func sameFile(noted, path string) bool {
	u, err := url.Parse(strings.TrimSpace(noted))
	if err != nil || u.Scheme != "file" {
		return strings.TrimSpace(noted) == path
	}
	want, err := url.Parse(FileURL(path))
	return err == nil && u.Path == want.Path
}

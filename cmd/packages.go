package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/fixes"
)

// maxPackages bounds --packages: somebody who points it at a whole mirror did not mean it.
const maxPackages = 200

// packageFiles reads the package files of a folder, sorted by name, with their hashes. Sub-folders are not
// looked into.
func packageFiles(dir string) ([]fixes.PackageFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usagef("--packages: %v", err)
	}
	var out []fixes.PackageFile
	for _, e := range entries {
		if e.IsDir() || !isPackage(e.Name()) {
			continue
		}
		if len(out) == maxPackages {
			return nil, usagef("--packages %s: more than %d package files", dir, maxPackages)
		}
		f, err := packageFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, usagef("--packages: %v", err)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, usagef("--packages %s: there is no package file (.rpm, .deb, .pkg.tar.zst) in it", dir)
	}
	return out, nil
}

// isPackage knows the files of rpm, dpkg and pacman; pacman keeps a signature beside each, which is none.
func isPackage(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".rpm" || ext == ".deb" || strings.Contains(name, ".pkg.tar") && ext != ".sig"
}

func packageFile(path string) (fixes.PackageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return fixes.PackageFile{}, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	size, err := io.Copy(h, f)
	return fixes.PackageFile{Path: path, Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

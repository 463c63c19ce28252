package host

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

const (
	// maxISO bounds an image: the real ones have 50 to 65 MB.
	maxISO = 512 << 20
	// minISO is what the smallest ISO 9660 image needs: 16 empty sectors and two descriptors.
	minISO = 18 * 2048
	// headBytes is how much of the installer is read for its label, which stands near the start.
	headBytes = 64 << 10
)

// ErrNotISO is wrapped by every error of ReadISO about a file that is not a usable image.
var ErrNotISO = errors.New("not a Guest Additions ISO image")

var (
	// runLabel is the label that makeself writes into the head of VBoxLinuxAdditions.run.
	runLabel = regexp.MustCompile(`(?m)^label="VirtualBox ([0-9][0-9A-Za-z._-]{0,40}) Guest Additions for Linux"`)
	// volumeLabel is the volume id: VBox_GAs_7.0.20, or VBOXADDITIONS_7.0.20_163906 with the revision.
	volumeLabel = regexp.MustCompile(`^(?:VBox_GAs|VBOXADDITIONS)_(\d+\.\d+\.\d+)(?:_\d+)?$`)
)

// ReadISO reads a Guest Additions image: its version from inside (the installer's label, else the volume
// id), its SHA-256 in hex and its size in bytes. Nothing is mounted or written. Version is empty when the
// image is readable but is not of Guest Additions. The answer is remembered within the process, by path,
// size and time of change. Errors about the file's content wrap ErrNotISO.
func ReadISO(path string) (facts.ISO, error) {
	info, err := os.Stat(path)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("the ISO image cannot be read: %w", err)
	}
	if err := plausible(path, info); err != nil {
		return facts.ISO{}, err
	}
	key := isoKey{path, info.Size(), info.ModTime()}
	if known, ok := isoCache.Load(key); ok {
		return known.(facts.ISO), nil
	}
	iso, err := readISO(path)
	if err == nil {
		iso, err = againstTable(iso)
	}
	if err == nil {
		isoCache.Store(key, iso)
	}
	return iso, err
}

// againstTable holds an image against the table of known ones: a known hash under another version is an image
// (or a table) that nobody may trust.
func againstTable(iso facts.ISO) (facts.ISO, error) {
	version, known := KnownISO(iso.SHA256)
	if known && version != iso.Version {
		return facts.ISO{}, fmt.Errorf("%s says that it holds Guest Additions %s, but its hash is that of %s: %w", iso.Path, iso.Version, version, ErrNotISO)
	}
	iso.Known = known
	return iso, nil
}

type isoKey struct {
	path string
	size int64
	time time.Time
}

// isoCache holds facts.ISO by isoKey: hashing 60 MB once per run is enough.
var isoCache sync.Map

func plausible(path string, info os.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file: %w", path, ErrNotISO)
	case info.Size() < minISO:
		return fmt.Errorf("%s has only %d bytes: %w (a download that failed?)", path, info.Size(), ErrNotISO)
	case info.Size() > maxISO:
		return fmt.Errorf("%s has %d bytes, more than any Guest Additions image (%d MB): %w", path, info.Size(), maxISO>>20, ErrNotISO)
	}
	return nil
}

func readISO(path string) (facts.ISO, error) {
	f, err := os.Open(path)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("the ISO image cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return facts.ISO{}, fmt.Errorf("the ISO image cannot be read: %w", err)
	}
	iso, err := isoInstaller(f, info.Size())
	if err != nil {
		return facts.ISO{}, fmt.Errorf("%s: %w: %w", path, ErrNotISO, err)
	}
	sum, err := hashFile(f)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("the ISO image cannot be read: %w", err)
	}
	iso.Path, iso.SHA256, iso.Size = path, sum, info.Size()
	return iso, nil
}

func hashFile(f io.ReadSeeker) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// isoInstaller reads the version and the place of the installer from inside the image; the version is empty when it is
// not of Guest Additions.
func isoInstaller(r io.ReaderAt, size int64) (facts.ISO, error) {
	image, err := openISO(r, size)
	if err != nil {
		return facts.ISO{}, err
	}
	run, err := image.open("VBoxLinuxAdditions.run")
	if err != nil || run == nil {
		return facts.ISO{}, err
	}
	head, err := io.ReadAll(io.LimitReader(run, headBytes))
	if err != nil {
		return facts.ISO{}, fmt.Errorf("VBoxLinuxAdditions.run inside it cannot be read: %w", err)
	}
	iso := facts.ISO{}
	_, iso.InstallerAt, iso.InstallerSize = run.Outer()
	if m := runLabel.FindSubmatch(head); m != nil {
		iso.Version = additionsVersion(string(m[1]))
	} else if m := volumeLabel.FindStringSubmatch(image.volume); m != nil {
		iso.Version = additionsVersion(m[1])
	}
	return iso, nil
}

// additionsVersion keeps x.y.z of a version text; empty when it is none.
func additionsVersion(s string) string {
	v, err := version.ParseVBox(s)
	if err != nil {
		return ""
	}
	return v.Number
}

//go:embed data/isos.yaml
var isosYAML []byte

// knownISO is one image whose hash is known.
type knownISO struct {
	Version string `yaml:"version"`
	SHA256  string `yaml:"sha256"`
	Size    int64  `yaml:"size"`
	Date    string `yaml:"date"`
	Source  string `yaml:"source"`
}

var loadISOs = sync.OnceValues(func() (map[string]knownISO, error) {
	var doc struct {
		ISOs []knownISO `yaml:"isos"`
	}
	if err := yaml.UnmarshalWithOptions(isosYAML, &doc, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("internal/host/data/isos.yaml: %w", err)
	}
	all := make(map[string]knownISO, len(doc.ISOs))
	for _, k := range doc.ISOs {
		all[k.SHA256] = k
	}
	return all, nil
})

// KnownISO tells the version of an image by its SHA-256 in hex. An image that is not in the table is not
// suspicious for that: the table holds only images that were hashed from a package.
func KnownISO(sha string) (version string, ok bool) {
	all, err := loadISOs()
	if err != nil {
		return "", false // a test reads the table, so this cannot ship
	}
	k, ok := all[strings.ToLower(sha)]
	return k.Version, ok
}

// additions tells which image there is: --iso, else what VirtualBox names, else the known places. The error
// is for an --iso that cannot be used; another image that cannot be read is an unknown fact. note is a
// sentence for the report, or empty.
func (ob *observer) additions() (found facts.Value[facts.ISO], note string, err error) {
	if ob.ISO != "" {
		found, err = ob.givenISO()
		return found, "", err
	}
	if ob.settled != "" && !regular(ob.settled) {
		note = fmt.Sprintf("VirtualBox names %s as its Guest Additions ISO, but there is no such file", ob.settled)
	}
	for _, place := range ob.isoPlaces() {
		if !regular(place.path) {
			continue
		}
		iso, err := ReadISO(place.path)
		if err != nil {
			return facts.Unknownf[facts.ISO]("%v", err), note, nil
		}
		iso.Source = place.source
		return facts.Known(iso), note, nil
	}
	return facts.Known(facts.ISO{}), note, nil
}

// unfinishedISO finds what VirtualBox 7.1.14 leaves of a download: a name that ends in .tmp, where nobody looks for it.
func (ob *observer) unfinishedISO() string {
	for _, place := range ob.isoPlaces() {
		if regular(place.path + ".tmp") {
			return place.path + ".tmp"
		}
	}
	return ""
}

func (ob *observer) givenISO() (facts.Value[facts.ISO], error) {
	iso, err := ReadISO(ob.tilde(ob.ISO))
	if err == nil && iso.Version == "" {
		err = fmt.Errorf("%s holds no VBoxLinuxAdditions.run with a version: %w", iso.Path, ErrNotISO)
	}
	if err != nil {
		return facts.Unknownf[facts.ISO]("%v", err), fmt.Errorf("--iso: %w", err)
	}
	iso.Source = "--iso"
	return facts.Known(iso), nil
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

type isoPlace struct{ path, source string }

// isoPlaces lists where VirtualBox keeps its image: what it says itself, then the places of the installers,
// then the user's own downloads of this very version.
func (ob *observer) isoPlaces() []isoPlace {
	const name, known = "VBoxGuestAdditions.iso", "a known path"
	var all []isoPlace
	if ob.settled != "" {
		all = append(all, isoPlace{ob.settled, "systemproperties"})
	}
	switch ob.goos {
	case "darwin":
		all = append(all, isoPlace{"/Applications/VirtualBox.app/Contents/MacOS/" + name, known})
	case "windows":
		dirs := strings.Split(cmp.Or(ob.Getenv("VBOX_INSTALL_PATH"), ob.Getenv("VBOX_MSI_INSTALL_PATH")), ";")
		for _, dir := range append(dirs, ob.programFiles()...) {
			if dir != "" {
				all = append(all, isoPlace{ob.join(dir, name), known})
			}
		}
	default:
		for _, dir := range []string{"/usr/share/virtualbox", "/usr/lib/virtualbox/additions", "/usr/lib/virtualbox", "/opt/VirtualBox/additions"} {
			all = append(all, isoPlace{dir + "/" + name, known})
		}
	}
	f, _ := ob.facts.VBoxManage.Get() // unknown: then there is no version to look for
	if v, err := version.ParseVBox(f.Version); err == nil {
		file := "VBoxGuestAdditions_" + v.Number + ".iso"
		all = append(all, isoPlace{filepath.Join(ob.HomeDir, ".VirtualBox", file), known}, isoPlace{filepath.Join(ob.vboxHome(), file), known})
	}
	return all
}

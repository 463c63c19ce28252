package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/boxdoctor/boxdoctor/internal/download"
)

// installerHead is synthetic, in the shape of makeself's head.
const installerHead = "#!/bin/sh\n# synthetic\nMD5=\"0\"\nlabel=\"VirtualBox 7.0.20 Guest Additions for Linux\"\nscript=\"./install.sh\"\n"

// tinyISO makes a small image with go-diskfs; head is the content of VBoxLinuxAdditions.run, none when empty.
func tinyISO(t testing.TB, volume, head string) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "tiny.iso")
	storage, err := file.CreateFromPath(path, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	image, err := iso9660.Create(storage, 4<<20, 0, 2048, "")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"autorun.sh": "#!/bin/sh\n"}
	if head != "" {
		names["VBoxLinuxAdditions.run"] = head
	}
	for name, text := range names {
		f, err := image.OpenFile("/"+name, os.O_CREATE|os.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := image.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: volume}); err != nil {
		t.Fatal(err)
	}
	if err := storage.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func TestReadISO(t *testing.T) {
	for name, c := range map[string]struct{ volume, head, version string }{
		"label":           {"VBOXADDITIONS_7.0.6_155176", installerHead, "7.0.20"},
		"volume, oracle":  {"VBox_GAs_6.1.22", "#!/bin/sh\n", "6.1.22"},
		"volume, debian":  {"VBOXADDITIONS_7.0.6_155176", "#!/bin/sh\n", "7.0.6"},
		"another image":   {"Debian 12", "", ""},
		"name only":       {"VBOXADDITIONS_7.0.6_155176", "", ""},
		"hostile label":   {"x", "label=\"VirtualBox 7.0.20;rm -rf Guest Additions for Linux\"\n", ""},
		"unusable number": {"x", "label=\"VirtualBox 7 Guest Additions for Linux\"\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := tinyISO(t, c.volume, c.head)
			path := filepath.Join(t.TempDir(), "x.iso")
			writeFile(t, path, string(data))
			iso, err := ReadISO(path)
			if err != nil || iso.Version != c.version || iso.SHA256 != sum(data) || iso.Size != int64(len(data)) || iso.Path != path {
				t.Errorf("%+v, %v; want version %q", iso, err, c.version)
			}
		})
	}
}

func TestReadISORemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.iso")
	data := tinyISO(t, "x", installerHead)
	writeFile(t, path, string(data))
	first, err := ReadISO(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte(nil), data...)
	changed[0] ^= 1
	writeFile(t, path, string(changed))
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if second, err := ReadISO(path); err != nil || second.SHA256 == first.SHA256 {
		t.Errorf("a changed file must be read again: %+v, %v", second, err)
	}
}

func TestReadISOErrors(t *testing.T) {
	dir := t.TempDir()
	image := tinyISO(t, "VBOXADDITIONS_7.0.20_163906", installerHead)
	damaged := append([]byte(nil), image...)
	root := 16*2048 + 156
	copy(damaged[root+10:root+14], "\xff\xff\xff\x7f")
	files := map[string]struct {
		data []byte
		says string
	}{
		"short.iso":   {[]byte("<html>404</html>"), "a download that failed"},
		"zero.iso":    {make([]byte, 1<<20), "no ISO 9660 signature"},
		"cut.iso":     {image[:20*2048], "cut off"},
		"damaged.iso": {damaged, "root directory lies outside"},
	}
	for name, c := range files {
		path := filepath.Join(dir, name)
		writeFile(t, path, string(c.data))
		_, err := ReadISO(path)
		if !errors.Is(err, ErrNotISO) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := filepath.Join(dir, "huge.iso")
	writeFile(t, huge, "")
	if err := os.Truncate(huge, maxISO+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadISO(huge); !errors.Is(err, ErrNotISO) || !strings.Contains(err.Error(), "more than any") {
		t.Error(err)
	}
	if _, err := ReadISO(dir); !errors.Is(err, ErrNotISO) {
		t.Error(err)
	}
	if _, err := ReadISO(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrNotISO) {
		t.Error(err)
	}
}

// TestRealISOs reads the real images where BOXDOCTOR_ISO_DIR holds them (the lab caches them).
func TestRealISOs(t *testing.T) {
	dir := os.Getenv("BOXDOCTOR_ISO_DIR")
	if dir == "" {
		t.Skip("BOXDOCTOR_ISO_DIR names no folder with real Guest Additions images")
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.iso"))
	if len(found) == 0 {
		t.Fatalf("no image in %s", dir)
	}
	for _, path := range found {
		iso, err := ReadISO(path)
		known, ok := KnownISO(iso.SHA256)
		if err != nil || iso.Version == "" || ok && known != iso.Version {
			t.Errorf("%+v, %v, known as %q", iso, err, known)
		}
		t.Logf("%s: %s, %d bytes, known %v", filepath.Base(path), iso.Version, iso.Size, ok)
	}
}

func TestKnownISO(t *testing.T) {
	all, err := loadISOs()
	if err != nil || len(all) < 3 {
		t.Fatalf("%d entries, %v", len(all), err)
	}
	for hash, k := range all {
		if len(hash) != 64 || additionsVersion(k.Version) != k.Version || k.Size < 1<<20 || k.Source == "" || k.Date == "" {
			t.Errorf("%+v", k)
		}
	}
	if v, ok := KnownISO("4C7523FA6D17436E3B7788F62956674270572CFEFA340D03111B85F8517D5981"); !ok || v != "7.0.20" {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := KnownISO(""); ok {
		t.Error("no hash is not known")
	}
}

func TestObserveISO(t *testing.T) {
	w := newWorld(t)
	w.env["PATH"] = ""
	given := filepath.Join(w.home, "given.iso")
	writeFile(t, given, string(tinyISO(t, "x", installerHead)))
	o := w.options(newReplay(t, nil))
	o.ISO = "~/given.iso"
	inv, err := observe(t, o)
	if iso, _ := inv.Host.AdditionsISO.Get(); err != nil || iso.Version != "7.0.20" || iso.Source != "--iso" || iso.Path != given {
		t.Errorf("%+v, %v", iso, err)
	}
	writeFile(t, given, string(tinyISO(t, "Debian 12", "")))
	if _, err := observe(t, o); err == nil || !strings.Contains(err.Error(), "--iso") || !errors.Is(err, ErrNotISO) {
		t.Errorf("an image of something else: %v", err)
	}
}

func TestISOOfSystemProperties(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.home, "from properties.iso")
	calls := virtualBox(t)
	calls["list systemproperties"] = Output{Stdout: "Default Guest Additions ISO:     " + path + "\n"}
	writeFile(t, path, string(tinyISO(t, "x", installerHead)))
	inv, err := observe(t, w.options(newReplay(t, calls)))
	if iso, _ := inv.Host.AdditionsISO.Get(); err != nil || iso.Source != "systemproperties" || iso.Version != "7.0.20" {
		t.Errorf("%+v, %v", iso, err)
	}
	writeFile(t, path, "not an image")
	inv, err = observe(t, w.options(newReplay(t, calls)))
	if _, why := inv.Host.AdditionsISO.Get(); err != nil || why == nil || !strings.Contains(why.Error(), "a download that failed") {
		t.Errorf("%v, %v", why, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	inv, _ = observe(t, w.options(newReplay(t, calls)))
	if notes := strings.Join(inv.Notes, "\n"); !strings.Contains(notes, "no such file") {
		t.Error(notes)
	}
}

// noPause is a clock without pauses between tries.
type noPause struct{}

func (noPause) Now() time.Time                                  { return time.Time{} }
func (noPause) Wait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// mirror serves one image and its checksums on loopback, with faults to order.
type mirror struct {
	image []byte
	sums  string
	fault func(w http.ResponseWriter, r *http.Request) bool
	hits  int
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.hits++
	if m.fault != nil && m.fault(w, r) {
		return
	}
	switch r.URL.Path {
	case "/virtualbox/7.0.20/SHA256SUMS":
		fmt.Fprint(w, m.sums)
	case "/virtualbox/7.0.20/VBoxGuestAdditions_7.0.20.iso":
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(m.image)))
	default:
		http.NotFound(w, r)
	}
}

func newMirror(t *testing.T) (*mirror, Download) {
	m := &mirror{image: tinyISO(t, "VBox_GAs_7.0.20", installerHead)}
	m.sums = "0000 *other\n" + sum(m.image) + " *VBoxGuestAdditions_7.0.20.iso\n"
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	client, err := download.NewClient(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return m, Download{Base: s.URL + "/virtualbox/", Options: download.Options{Client: client, Stall: 5 * time.Second, Clock: noPause{}}}
}

func TestDownloadISO(t *testing.T) {
	m, d := newMirror(t)
	var done, total int64
	d.Progress = func(a, b int64) { done, total = a, b }
	dir := filepath.Join(t.TempDir(), "new")
	iso, err := DownloadISO(t.Context(), "7.0.20r163906", dir, d)
	if err != nil || iso.Version != "7.0.20" || iso.SHA256 != sum(m.image) || iso.Path != filepath.Join(dir, "VBoxGuestAdditions_7.0.20.iso") || !strings.HasPrefix(iso.Source, "http") {
		t.Errorf("%+v, %v", iso, err)
	}
	if done != int64(len(m.image)) || total != done {
		t.Errorf("progress %d of %d", done, total)
	}
	hits := m.hits
	if _, err := DownloadISO(t.Context(), "7.0.20", dir, d); err != nil || m.hits != hits+1 {
		t.Errorf("a proven file is used again: %v, %d requests", err, m.hits-hits)
	}
}

func TestDownloadISOFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mirror, *Download)
		says   string
	}{
		"wrong sum":   {func(m *mirror, _ *Download) { m.sums = strings.Repeat("0", 64) + " *VBoxGuestAdditions_7.0.20.iso\n" }, "does not match its checksum"},
		"no sum":      {func(m *mirror, _ *Download) { m.sums = "x\n" }, "could not be proven"},
		"not found":   {func(m *mirror, d *Download) { d.Base += "/elsewhere" }, "404"},
		"other image": {func(m *mirror, _ *Download) { *m = other(t) }, `Guest Additions "", expected 7.0.20`},
		"announces too much": {func(m *mirror, _ *Download) {
			m.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, ".iso") {
					w.Header().Set("Content-Length", "99999999999")
					return true
				}
				return false
			}
		}, "announces 99999999999"},
	} {
		t.Run(name, func(t *testing.T) {
			m, d := newMirror(t)
			c.change(m, &d)
			dir := t.TempDir()
			_, err := DownloadISO(t.Context(), "7.0.20", dir, d)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v", err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// other is a mirror that serves a proven image of something else.
func other(t *testing.T) mirror {
	image := tinyISO(t, "Debian 12", "")
	return mirror{image: image, sums: sum(image) + " *VBoxGuestAdditions_7.0.20.iso\n"}
}

func TestDownloadISORefuses(t *testing.T) {
	if _, err := DownloadISO(t.Context(), "../../etc", t.TempDir(), Download{}); err == nil || !strings.Contains(err.Error(), "VirtualBox version") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, d := newMirror(t)
	if _, err := DownloadISO(ctx, "7.0.20", t.TempDir(), d); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

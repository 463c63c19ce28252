package host

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// DownloadBase is where Oracle publishes VirtualBox; below it lies one folder per version.
const DownloadBase = "https://download.virtualbox.org/virtualbox"

// Download says how to fetch an image.
type Download struct {
	// Base replaces DownloadBase, in tests and for mirrors.
	Base string
	download.Options
}

// DownloadISO fetches VBoxGuestAdditions_VERSION.iso into the folder dir and proves it: its SHA-256 must be
// the one that SHA256SUMS beside it names, and the version inside must be the one asked for. A file that is
// already there and passes is used again. Call it only when the user allowed it: 50 to 65 MB are fetched.
// The final name appears only after the proof; what was begun is kept for the next try.
func DownloadISO(ctx context.Context, number, dir string, d Download) (facts.ISO, error) {
	v, err := version.ParseVBox(number)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("which Guest Additions to download: %w", err)
	}
	base := strings.TrimRight(cmp.Or(d.Base, DownloadBase), "/") + "/" + v.Number
	name := "VBoxGuestAdditions_" + v.Number + ".iso"
	sum, err := publishedSum(ctx, base+"/SHA256SUMS", name, d.Options)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("%w; fetch it yourself and give it with --iso", err)
	}
	path := filepath.Join(dir, name)
	got, err := download.Get(ctx, download.File{URL: base + "/" + name, Path: path, Sum: sum, Max: maxISO}, d.Options)
	if err != nil {
		return facts.ISO{}, err
	}
	iso, err := ReadISO(path)
	if err == nil && iso.Version != v.Number {
		err = fmt.Errorf("%s/%s is an image of Guest Additions %q, expected %s: it is not used", base, name, iso.Version, v.Number)
	}
	if err != nil {
		return facts.ISO{}, errors.Join(err, os.Remove(path))
	}
	iso.Source = base + "/" + name
	if got.Already {
		iso.Source = "downloaded before"
	}
	return iso, nil
}

// publishedSum reads the line of a file in a list of SHA-256 checksums.
func publishedSum(ctx context.Context, url, name string, o download.Options) (download.Checksum, error) {
	body, _, err := download.Read(ctx, download.Document{URL: url, Max: 1 << 20}, o)
	if err != nil {
		return download.Checksum{}, err
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 2 || strings.TrimPrefix(f[1], "*") != name {
			continue
		}
		if sum, err := download.ParseChecksum("sha256", f[0]); err == nil {
			return sum, nil
		}
	}
	return download.Checksum{}, fmt.Errorf("%s has no SHA-256 for %s, so a download could not be proven: nothing was fetched", url, name)
}

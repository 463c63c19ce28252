package host

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// DownloadBase is where Oracle publishes VirtualBox; below it lies one folder per version.
const DownloadBase = "https://download.virtualbox.org/virtualbox"

// stall is how long a download may go without a single byte.
const stall = 30 * time.Second

// Download says how to fetch an image. The zero value is right for real runs.
type Download struct {
	// Base replaces DownloadBase, in tests and for mirrors.
	Base string
	// Client replaces the default client, which has limits on dialling and on the first answer.
	Client *http.Client
	// Progress gets bytes done and in all (-1: not told), at most once per block read; nil: nobody is told.
	Progress func(done, total int64)
	// Stall replaces the limit on silence, 30 s.
	Stall time.Duration
}

// DownloadISO fetches VBoxGuestAdditions_VERSION.iso into the folder dir and proves it: its SHA-256 must be
// the one that SHA256SUMS beside it names, and the version inside must be the one asked for. A file that is
// already there and passes is used again. Call it only when the user allowed it: 50 to 65 MB are fetched.
// The final name appears only after the proof; nothing is left behind on failure.
func DownloadISO(ctx context.Context, number, dir string, d Download) (facts.ISO, error) {
	v, err := version.ParseVBox(number)
	if err != nil {
		return facts.ISO{}, fmt.Errorf("which Guest Additions to download: %w", err)
	}
	g := fetcher{Download: d, base: strings.TrimRight(cmp.Or(d.Base, DownloadBase), "/") + "/" + v.Number, name: "VBoxGuestAdditions_" + v.Number + ".iso"}
	if g.Client == nil {
		g.Client = defaultClient()
	}
	g.Stall = cmp.Or(g.Stall, stall)
	want, err := g.checksum(ctx)
	if err != nil {
		return facts.ISO{}, err
	}
	path := filepath.Join(dir, g.name)
	if iso, err := ReadISO(path); err == nil && iso.SHA256 == want && iso.Version == v.Number {
		iso.Source = "downloaded before"
		return iso, nil
	}
	if err := g.fetch(ctx, path, want); err != nil {
		return facts.ISO{}, err
	}
	iso, err := ReadISO(path)
	if err == nil && iso.Version != v.Number {
		err = fmt.Errorf("%s/%s is an image of Guest Additions %q, expected %s: it is not used", g.base, g.name, iso.Version, v.Number)
	}
	if err != nil {
		return facts.ISO{}, errors.Join(err, os.Remove(path))
	}
	iso.Source = g.base + "/" + g.name
	return iso, nil
}

type fetcher struct {
	Download
	base, name string
}

// defaultClient honours the proxy variables and never follows a redirect from https to http.
func defaultClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errors.New("more than 5 redirects")
			}
			if via[0].URL.Scheme == "https" && to.URL.Scheme != "https" {
				return fmt.Errorf("redirected from https to %s, which anybody on the way could change", to.URL.Scheme)
			}
			return nil
		},
	}
}

// get opens a URL and insists on 200. The caller closes the body.
func (g fetcher) get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", url, err)
	}
	req.Header.Set("User-Agent", "boxdoctor")
	resp, err := g.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w; fetch it yourself and give it with --iso", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("download %s: the server answered %s; fetch the image yourself and give it with --iso", url, resp.Status)
	}
	return resp, nil
}

// checksum reads the image's line of SHA256SUMS.
func (g fetcher) checksum(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*g.Stall)
	defer cancel()
	url := g.base + "/SHA256SUMS"
	resp, err := g.get(ctx, url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 1<<20))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 2 && strings.TrimPrefix(f[1], "*") == g.name {
			if sum, err := hex.DecodeString(f[0]); err == nil && len(sum) == sha256.Size {
				return strings.ToLower(f[0]), nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("download %s: %w", url, err)
	}
	return "", fmt.Errorf("%s has no SHA-256 for %s, so a download could not be proven: nothing was fetched", url, g.name)
}

// fetch writes to a temporary name beside path and renames when the sum is right.
func (g fetcher) fetch(ctx context.Context, path, want string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("no folder for the download: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), g.name+".part-*")
	if err != nil {
		return fmt.Errorf("no place for the download: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	sum, err := g.copy(ctx, f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if sum != want {
		return fmt.Errorf("%s/%s does not match its checksum (SHA256SUMS says %s, the download has %s): it is not used; try again, or look at the proxy in between", g.base, g.name, want, sum)
	}
	return os.Rename(f.Name(), path)
}

// copy streams the image and returns its SHA-256 in hex. The transfer is ended when no byte arrives for the
// stall limit, and when it grows beyond what any image has.
func (g fetcher) copy(ctx context.Context, to io.Writer) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(g.Stall, func() {
		cancel(fmt.Errorf("no byte arrived for %s", g.Stall))
	})
	defer quiet.Stop()
	url := g.base + "/" + g.name
	resp, err := g.get(ctx, url)
	if err != nil {
		return "", g.because(ctx, err)
	}
	defer resp.Body.Close()
	if resp.ContentLength > maxISO {
		return "", fmt.Errorf("download %s: the server announces %d bytes, more than any Guest Additions image", url, resp.ContentLength)
	}
	h := sha256.New()
	r := &meter{r: io.LimitReader(resp.Body, maxISO+1), tell: func(n int64) {
		quiet.Reset(g.Stall)
		if g.Progress != nil {
			g.Progress(n, resp.ContentLength)
		}
	}}
	n, err := io.Copy(io.MultiWriter(to, h), r)
	if err == nil && n > maxISO {
		err = errors.New("it is larger than any Guest Additions image")
	}
	if err != nil {
		return "", fmt.Errorf("download %s, after %d bytes: %w", url, n, g.because(ctx, err))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// because prefers the reason for which the context was cancelled to the "context canceled" of the library.
func (g fetcher) because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		return cause
	}
	return err
}

// meter tells how many bytes went by.
type meter struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

// Read reads and tells.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	if n > 0 {
		m.tell(m.n)
	}
	return n, err
}

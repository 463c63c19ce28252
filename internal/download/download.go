// Package download fetches one file over HTTP so that it can be trusted: what was begun is kept and gone on with, a
// file that changed in between is begun anew, the checksum is compared, and the final name appears only then.
package download

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/retry"
)

const (
	// Stall is how long a transfer may go without a single byte.
	Stall = 30 * time.Second
	// fruitless is how many tries in a row may end without a byte more than before.
	fruitless = 4
	// partSuffix is what the name of an unfinished file ends in; its state lies beside it.
	partSuffix, stateSuffix = ".part", ".part.json"
)

// File is what to fetch.
type File struct {
	URL string
	// Path is the final name.
	Path string
	// Sum is what the file must have; the zero value compares nothing.
	Sum Checksum
	// Max bounds the size in bytes.
	Max int64
	// Token is sent as a bearer token to the host of URL, and to no other one.
	Token string
}

// Options say how. The zero value is right for real runs but for Client.
type Options struct {
	// Client is what NewClient returns.
	Client *http.Client
	// Progress gets bytes done and in all (-1: not told); nil: nobody is told.
	Progress func(done, total int64)
	// Note gets a sentence when a try failed and another one follows; nil: nobody is told.
	Note func(string)
	// Stall replaces the limit on silence.
	Stall time.Duration
	// Clock is the time that pauses between tries live in; nil: the real one.
	Clock retry.Clock
}

// Result is what came of it.
type Result struct {
	Size int64
	// Sum is the checksum of the file: the kind that was asked for, else SHA-256.
	Sum Checksum
	// Proven: the checksum was compared with one that was given.
	Proven bool
	// Already: the file was there, with the right checksum; nothing was fetched.
	Already bool
	// Resumed is how many bytes an earlier run had left.
	Resumed int64
}

// Checksum is a hash in hex with the name of its kind, as registries write it.
type Checksum struct{ Kind, Hex string }

var kinds = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

// ParseChecksum reads kind and hash. No hash, or the kind "none", is the zero value. Error: a kind that is not known, or a hash
// that cannot be one.
func ParseChecksum(kind, hex string) (Checksum, error) {
	kind, hex = strings.ToLower(strings.TrimSpace(kind)), strings.ToLower(strings.TrimSpace(hex))
	if hex == "" || kind == "none" || kind == "" {
		return Checksum{}, nil
	}
	c := Checksum{kind, hex}
	return c, c.validate()
}

func (c Checksum) validate() error {
	fresh, ok := kinds[c.Kind]
	if !ok {
		return fmt.Errorf("the kind of checksum %q is not known (known are md5, sha1, sha256, sha384, sha512)", c.Kind)
	}
	if b, err := hex.DecodeString(c.Hex); err != nil || len(b) != fresh().Size() {
		return fmt.Errorf("%q is no %s checksum", c.Hex, c.Kind)
	}
	return nil
}

// IsZero tells whether there is nothing to compare.
func (c Checksum) IsZero() bool { return c.Hex == "" }

// String is kind and hash.
func (c Checksum) String() string { return c.Kind + " " + c.Hex }

// of computes the checksum of a file, of the same kind or SHA-256.
func (c Checksum) of(ctx context.Context, path string) (Checksum, error) {
	kind := c.Kind
	if c.IsZero() {
		kind = "sha256"
	}
	f, err := os.Open(path)
	if err != nil {
		return Checksum{}, err
	}
	defer f.Close()
	h := kinds[kind]()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return Checksum{}, err
	}
	return Checksum{kind, hex.EncodeToString(h.Sum(nil))}, nil
}

// reader ends with its context: hashing gigabytes takes seconds.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Read reads, unless the context has ended.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// MismatchError says that a file does not have the checksum that it must have.
type MismatchError struct {
	URL       string
	Want, Got Checksum
}

// Error names both.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s does not match its checksum: expected %s, the download has %s; it was thrown away. Try again; if it stays so, a proxy in between changes files, or what is published is wrong",
		e.URL, e.Want, e.Got.Hex)
}

// PausedError says that a download ended early and what was fetched is kept.
type PausedError struct {
	Part        string
	Done, Total int64
	Cause       error
}

// Error tells how far it was.
func (e *PausedError) Error() string {
	of := ""
	if e.Total > 0 {
		of = fmt.Sprintf(" of %d", e.Total)
	}
	return fmt.Sprintf("%v; %d%s bytes are kept in %s, and the same command goes on from there", e.Cause, e.Done, of, e.Part)
}

// Unwrap is why.
func (e *PausedError) Unwrap() error { return e.Cause }

// Get fetches a file. A file that is there with the right checksum is used as it is. Errors: *MismatchError, *StatusError,
// *PausedError, which wrap the context's error when that ended it.
func Get(ctx context.Context, f File, o Options) (Result, error) {
	if !f.Sum.IsZero() {
		if err := f.Sum.validate(); err != nil {
			return Result{}, err
		}
	}
	if r, ok := f.already(ctx); ok {
		return r, nil
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return Result{}, fmt.Errorf("no folder for the download: %w", err)
	}
	unlock, err := lock(f.Path + partSuffix + ".lock")
	switch {
	case errors.Is(err, errHeld):
		return Result{}, fmt.Errorf("%s is being downloaded by another run; wait for it, or end it", f.Path)
	case err != nil:
		return Result{}, fmt.Errorf("no place for the download: %w", err)
	}
	defer unlock()
	t := &transfer{File: f, o: o}
	if t.o.Stall == 0 {
		t.o.Stall = Stall
	}
	return t.run(ctx)
}

// already tells whether the file is there and right. Without a checksum nobody can tell.
func (f File) already(ctx context.Context) (Result, bool) {
	info, err := os.Stat(f.Path)
	if err != nil || f.Sum.IsZero() || !info.Mode().IsRegular() {
		return Result{}, false
	}
	got, err := f.Sum.of(ctx, f.Path)
	return Result{Size: info.Size(), Sum: got, Proven: true, Already: true}, err == nil && got == f.Sum
}

// transfer is one download with its tries.
type transfer struct {
	File
	o Options

	part  part
	tries int // in a row that brought nothing
	last  int64
	total int64
	// rounds is how often the whole file did not match.
	rounds int
	// resumed is what an earlier run had left and was used.
	resumed int64
	joined  bool // the file was put together from more than one answer
}

// run fetches, compares and renames. A mismatch of what was put together from several answers is tried once more from the start:
// the answers may have been of different files.
func (t *transfer) run(ctx context.Context) (Result, error) {
	for {
		if err := t.fetch(ctx); err != nil {
			return Result{}, t.kept(err)
		}
		got, err := t.Sum.of(ctx, t.part.path)
		if err != nil {
			return Result{}, t.kept(err)
		}
		if t.Sum.IsZero() || got == t.Sum {
			return t.finish(got)
		}
		t.part.discard()
		if t.rounds++; !t.joined || t.rounds > 1 {
			return Result{}, &MismatchError{Shown(t.URL), t.Sum, got}
		}
		t.note("what was put together from several answers does not match its checksum; once more from the start")
		t.joined, t.resumed = false, 0
	}
}

func (t *transfer) finish(got Checksum) (Result, error) {
	info, err := os.Stat(t.part.path)
	if err == nil {
		err = os.Rename(t.part.path, t.Path)
	}
	if err != nil {
		return Result{}, fmt.Errorf("the finished download could not get its name: %w", err)
	}
	t.part.discard()
	return Result{Size: info.Size(), Sum: got, Proven: !t.Sum.IsZero(), Resumed: t.resumed}, nil
}

// kept adds to an error what is kept. An empty part is no use to anybody.
func (t *transfer) kept(err error) error {
	n := t.part.size()
	var useless unusable
	if n == 0 || errors.As(err, &useless) {
		t.part.discard()
		return err
	}
	return &PausedError{Part: t.part.path, Done: n, Total: t.total, Cause: err}
}

func (t *transfer) note(text string) {
	if t.o.Note != nil {
		t.o.Note(text)
	}
}

// fetch tries until the part is whole, as long as tries bring something.
func (t *transfer) fetch(ctx context.Context) error {
	t.part = openPart(t.Path, t.URL, t.Sum)
	t.resumed, t.last, t.tries = t.part.size(), t.part.size(), 0
	loop := retry.Loop{First: time.Second, Max: 15 * time.Second, Clock: t.o.Clock, Notify: func(err error, pause time.Duration) {
		t.note(fmt.Sprintf("%v; trying again in %s", err, pause.Round(100*time.Millisecond)))
	}}
	var after time.Duration
	err := loop.Do(ctx, func(ctx context.Context) error {
		if err := t.rest(ctx, after); err != nil {
			return err
		}
		err := t.try(ctx)
		after = 0
		if err == nil {
			return nil
		}
		var status *StatusError
		if errors.As(err, &status) {
			after = status.After
		}
		return t.worthwhile(ctx, err)
	})
	var gaveUp *retry.GiveUpError
	if errors.As(err, &gaveUp) && gaveUp.Last != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// rest waits as long as the server asked for, beyond the pause of the loop.
func (t *transfer) rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if t.o.Clock != nil {
		return retry.Permanent(t.o.Clock.Wait(ctx, d))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return retry.Permanent(ctx.Err())
	case <-timer.C:
		return nil
	}
}

// worthwhile marks errors that another try cannot mend, and the last of several that brought nothing.
func (t *transfer) worthwhile(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return retry.Permanent(ctx.Err())
	}
	if n := t.part.size(); n > t.last {
		t.last, t.tries = n, 0
	}
	t.tries++
	if isFinal(err) || t.tries >= fruitless {
		return retry.Permanent(err)
	}
	return err
}

// try makes one request and writes what it brings to the part.
func (t *transfer) try(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(t.o.Stall, func() { cancel(fmt.Errorf("no byte arrived for %s", t.o.Stall)) })
	defer quiet.Stop()
	from := t.part.size()
	if from > 0 && t.part.Validator == "" { // nobody could tell whether the rest belongs to it
		t.part.empty()
		from = 0
	}
	resp, err := t.request(ctx, from)
	if err != nil {
		return because(ctx, explain(t.URL, err))
	}
	defer resp.Body.Close()
	whole, err := t.accept(resp, from)
	if err != nil || whole {
		return err
	}
	return because(ctx, t.copy(resp, quiet))
}

// request asks for the file from an offset on, and for the whole file when it is another one by now.
func (t *transfer) request(ctx context.Context, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return nil, final{fmt.Errorf("%q is no address of a file", Shown(t.URL))}
	}
	req.Header.Set("User-Agent", UserAgent)
	req.Header.Set("Accept-Encoding", "identity") // offsets are those of the file, not of a compressed form
	if t.Token != "" {
		req.Header.Set("Authorization", "Bearer "+t.Token)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		req.Header.Set("If-Range", t.part.Validator)
	}
	return t.o.Client.Do(req)
}

// accept looks at the head of an answer; whole: nothing is missing.
func (t *transfer) accept(resp *http.Response, from int64) (whole bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		t.joined = false
		if from > 0 {
			t.note("the file on the server is another one than before, or it cannot be gone on with: from the start")
			t.resumed = 0
			t.part.empty()
		}
		t.total = resp.ContentLength
	case http.StatusPartialContent:
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != from || from == 0 || total >= 0 && t.part.Total > 0 && total != t.part.Total {
			t.part.empty()
			return false, fmt.Errorf("%s: asked for the bytes from %d of %d on, the server sent %q; from the start", Shown(t.URL), from, t.part.Total, resp.Header.Get("Content-Range"))
		}
		t.joined, t.total = true, total
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := contentRange(resp.Header.Get("Content-Range"))
		if total == from && from > 0 {
			t.joined = true
			return true, nil
		}
		t.part.empty()
		return false, fmt.Errorf("%s: there are no bytes from %d on; from the start", Shown(t.URL), from)
	default:
		return false, statusError(Shown(t.URL), resp)
	}
	if t.Max > 0 && t.total > t.Max {
		return false, unusable{fmt.Errorf("%s: the server announces %d bytes, more than the %d that such a file can have", Shown(t.URL), t.total, t.Max)}
	}
	return false, t.part.begin(resp, t.total)
}

// copy writes the body to the end of the part.
func (t *transfer) copy(resp *http.Response, quiet *time.Timer) error {
	out, err := os.OpenFile(t.part.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return final{fmt.Errorf("no place for the download: %w", err)}
	}
	w := &writer{f: out, done: t.part.size(), max: t.Max, tell: func(done int64) {
		quiet.Reset(t.o.Stall)
		if t.o.Progress != nil {
			t.o.Progress(done, t.total)
		}
	}}
	_, err = io.Copy(w, resp.Body)
	if cerr := out.Close(); err == nil && cerr != nil {
		err = final{cerr}
	}
	if err != nil {
		return fmt.Errorf("%s, after %d bytes: %w", Shown(t.URL), w.done, err)
	}
	if t.total >= 0 && w.done != t.total {
		return fmt.Errorf("%s: %d bytes came, %d were announced", Shown(t.URL), w.done, t.total)
	}
	if w.done == 0 {
		return fmt.Errorf("%s: the server sent nothing", Shown(t.URL))
	}
	return nil
}

// writer appends to the part, looks at its first bytes and counts.
type writer struct {
	f    io.Writer
	done int64
	max  int64
	tell func(int64)
}

// Write refuses what cannot be the file.
func (w *writer) Write(p []byte) (int, error) {
	if w.done == 0 && looksLikePage(p) {
		return 0, unusable{errors.New("the server sent a web page instead of the file: a login page, or that of a proxy; open the address in a browser to see which")}
	}
	if w.max > 0 && w.done+int64(len(p)) > w.max {
		return 0, unusable{fmt.Errorf("it is larger than the %d bytes that such a file can have", w.max)}
	}
	n, err := w.f.Write(p)
	w.done += int64(n)
	w.tell(w.done)
	if err != nil {
		err = final{fmt.Errorf("writing: %w", err)}
	}
	return n, err
}

// looksLikePage tells HTML by its first bytes.
func looksLikePage(p []byte) bool {
	return strings.HasPrefix(http.DetectContentType(p[:min(len(p), 512)]), "text/html")
}

// Parts are the files that an unfinished download of path leaves.
func Parts(path string) []string {
	return slices.DeleteFunc([]string{path + partSuffix, path + stateSuffix}, func(p string) bool {
		_, err := os.Stat(p)
		return err != nil
	})
}

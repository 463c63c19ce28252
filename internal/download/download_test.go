package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// instant is a clock without pauses; it remembers them.
type instant struct {
	mu     sync.Mutex
	pauses []time.Duration
}

func (*instant) Now() time.Time { return time.Time{} }

func (c *instant) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pauses = append(c.pauses, d)
	return ctx.Err()
}

// content is a file of n bytes that has no two equal blocks.
func content(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d synthetic\n", i)
	}
	return b.Bytes()[:n]
}

func sum(b []byte) Checksum {
	h := sha256.Sum256(b)
	return Checksum{"sha256", hex.EncodeToString(h[:])}
}

// server serves one file on loopback, with faults to order. It notes every request.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	data []byte
	etag string
	// cuts: each answer ends after so many bytes, one value per request; 0 and none: whole.
	cuts  []int
	fault func(w http.ResponseWriter, r *http.Request, n int) bool
	asked []*http.Request
}

func serve(t *testing.T, data []byte) *server {
	s := &server{data: data, etag: `"one"`}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	n, cut := len(s.asked)-1, 0
	if n < len(s.cuts) {
		cut = s.cuts[n]
	}
	data, etag, fault := s.data, s.etag, s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r, n) {
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	if cut > 0 {
		w = &cutting{ResponseWriter: w, left: cut}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// cutting ends the connection after so many bytes of the body.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	c.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func client(t *testing.T, env map[string]string) *http.Client {
	t.Helper()
	c, err := NewClient(func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func options(t *testing.T) Options {
	return Options{Client: client(t, nil), Stall: 5 * time.Second, Clock: &instant{}}
}

func target(t *testing.T, s *server) File {
	return File{URL: s.URL + "/x.box", Path: filepath.Join(t.TempDir(), "new", "x.box"), Sum: sum(s.data), Max: 1 << 20}
}

// holds tells whether the file is whole and alone.
func holds(t *testing.T, f File, want []byte) {
	t.Helper()
	got, err := os.ReadFile(f.Path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
	alone(t, f, 1)
}

func alone(t *testing.T, f File, n int) {
	t.Helper()
	if left, _ := os.ReadDir(filepath.Dir(f.Path)); len(left) != n {
		t.Errorf("files: %v, want %d", left, n)
	}
}

func TestGet(t *testing.T) {
	s := serve(t, content(100_000))
	f, o := target(t, s), options(t)
	var done, total int64
	o.Progress = func(a, b int64) { done, total = a, b }
	r, err := Get(t.Context(), f, o)
	if err != nil || r != (Result{Size: 100_000, Sum: f.Sum, Proven: true}) || done != 100_000 || total != done {
		t.Errorf("%+v, %v, progress %d of %d", r, err, done, total)
	}
	holds(t, f, s.data)
	r, err = Get(t.Context(), f, o)
	if err != nil || !r.Already || len(s.requests()) != 1 {
		t.Errorf("a file that is right is not fetched again: %+v, %v, %d requests", r, err, len(s.requests()))
	}
	if err := os.WriteFile(f.Path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = Get(t.Context(), f, o); err != nil || r.Already {
		t.Errorf("one that is not right is: %+v, %v", r, err)
	}
	holds(t, f, s.data)
}

func TestWithoutChecksumNothingIsProven(t *testing.T) {
	s := serve(t, content(1000))
	f := target(t, s)
	want := f.Sum
	f.Sum = Checksum{}
	r, err := Get(t.Context(), f, options(t))
	if err != nil || r.Proven || r.Sum != want {
		t.Errorf("%+v, %v", r, err)
	}
}

// A connection that is cut again and again is gone on with, as long as each try brings something.
func TestCutConnections(t *testing.T) {
	s := serve(t, content(100_000))
	s.cuts = []int{30_000, 10_000, 1, 20_000, 5_000, 5_000}
	f, o := target(t, s), options(t)
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	if _, err := Get(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	holds(t, f, s.data)
	want := []string{"", "bytes=30000-", "bytes=40000-", "bytes=40001-", "bytes=60001-", "bytes=65001-", "bytes=70001-"}
	for i, r := range s.requests() {
		if i >= len(want) || r.Header.Get("Range") != want[i] || i > 0 && r.Header.Get("If-Range") != `"one"` {
			t.Errorf("request %d: Range %q, If-Range %q", i, r.Header.Get("Range"), r.Header.Get("If-Range"))
		}
	}
	if len(notes) != 6 || !strings.Contains(notes[0], "after 30000 bytes") {
		t.Errorf("notes %q", notes)
	}
}

// An interrupted run keeps what it has, and another one goes on from there.
func TestInterruptedAndGoneOnWith(t *testing.T) {
	s := serve(t, content(100_000))
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 0 {
			return false
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(s.data[:40_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	f, o := target(t, s), options(t)
	o.Progress = func(done, _ int64) {
		if done == 40_000 {
			cancel()
		}
	}
	_, err := Get(ctx, f, o)
	var paused *PausedError
	if !errors.As(err, &paused) || !errors.Is(err, context.Canceled) || paused.Done != 40_000 || paused.Total != 100_000 || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("%v", err)
	}
	o.Progress = nil
	r, err := Get(t.Context(), f, o)
	if err != nil || r.Resumed != 40_000 || s.requests()[1].Header.Get("Range") != "bytes=40000-" {
		t.Errorf("%+v, %v", r, err)
	}
	holds(t, f, s.data)
}

// leave makes a part as an interrupted run leaves it.
func leave(t *testing.T, s *server, f File, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t)
	o.Progress = func(int64, int64) { cancel() }
	s.cuts = []int{n}
	if _, err := Get(ctx, f, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(Parts(f.Path)) != 2 {
		t.Fatalf("parts: %v", Parts(f.Path))
	}
}

func TestTheFileChangedInBetween(t *testing.T) {
	s := serve(t, content(50_000))
	f := target(t, s)
	f.Sum = Checksum{}
	leave(t, s, f, 20_000)
	s.data, s.etag = bytes.ToUpper(content(60_000)), `"two"`
	r, err := Get(t.Context(), f, options(t))
	if err != nil || r.Resumed != 0 || r.Size != 60_000 {
		t.Errorf("%+v, %v", r, err)
	}
	holds(t, f, s.data)
}

// A server that goes on with another file although If-Range forbids it is found out by the checksum, and the file is fetched whole.
func TestAServerThatIgnoresIfRange(t *testing.T) {
	s := serve(t, content(50_000))
	f := target(t, s)
	leave(t, s, f, 20_000)
	s.data = bytes.ToUpper(content(50_000)) // with the same ETag
	f.Sum = sum(s.data)
	rewrite(t, f, func(state string) string { return strings.Replace(state, sum(content(50_000)).Hex, f.Sum.Hex, 1) })
	if _, err := Get(t.Context(), f, options(t)); err != nil {
		t.Fatal(err)
	}
	holds(t, f, s.data)
}

func rewrite(t *testing.T, f File, change func(string) string) {
	t.Helper()
	b, err := os.ReadFile(f.Path + stateSuffix)
	if err == nil {
		err = os.WriteFile(f.Path+stateSuffix, []byte(change(string(b))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What belongs to another address, another checksum or to nothing that can be told is not gone on with.
func TestPartsThatAreNotTakenOver(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"another address":  func(s string) string { return strings.Replace(s, `"url_sha256":"`, `"url_sha256":"0`, 1) },
		"another checksum": func(s string) string { return strings.Replace(s, `"Hex":"`, `"Hex":"00`, 1) },
		"no validator":     func(s string) string { return strings.Replace(s, `"validator":"\"one\""`, `"validator":""`, 1) },
		"damaged":          func(s string) string { return s[:len(s)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(50_000))
			f := target(t, s)
			leave(t, s, f, 20_000)
			rewrite(t, f, change)
			if r, err := Get(t.Context(), f, options(t)); err != nil || r.Resumed != 0 {
				t.Errorf("%+v, %v", r, err)
			}
			holds(t, f, s.data)
		})
	}
}

// Without an ETag or a date nobody can tell whether a rest belongs to a beginning, so each try starts anew.
func TestNothingToCompare(t *testing.T) {
	for name, etag := range map[string]string{"none": "", "weak": `W/"one"`} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(50_000))
			s.etag = etag
			s.cuts = []int{20_000}
			f := target(t, s)
			if _, err := Get(t.Context(), f, options(t)); err != nil {
				t.Fatal(err)
			}
			holds(t, f, s.data)
			if r := s.requests()[1]; r.Header.Get("Range") != "" {
				t.Errorf("Range %q", r.Header.Get("Range"))
			}
		})
	}
}

// A part that is whole already needs no more bytes: the server says 416.
func TestWholePart(t *testing.T) {
	s := serve(t, content(5000))
	f := target(t, s)
	leave(t, s, f, 2000)
	if err := os.WriteFile(f.Path+partSuffix, s.data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Get(t.Context(), f, options(t)); err != nil || r.Resumed != 5000 {
		t.Errorf("%+v, %v", r, err)
	}
	holds(t, f, s.data)
}

func TestAServerThatSendsAnotherRange(t *testing.T) {
	s := serve(t, content(50_000))
	f := target(t, s)
	leave(t, s, f, 20_000)
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		w.Header().Set("Content-Range", "bytes 0-9/50000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(s.data[:10])
		return true
	}
	if _, err := Get(t.Context(), f, options(t)); err != nil {
		t.Fatal(err)
	}
	holds(t, f, s.data)
}

// raw answers with bytes that no decent server would send.
func raw(text string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = c.Write([]byte(text))
		return true
	}
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

func TestFaults(t *testing.T) {
	page := "<!DOCTYPE html><html><title>Sign in</title>"
	for name, c := range map[string]struct {
		fault    func(http.ResponseWriter, *http.Request, int) bool
		says     string
		requests int // 0: not looked at
	}{
		"announces more than it sends": {raw("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc"), "unexpected EOF", 4},
		"announces less than it has":   {raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + string(content(5000))), "does not match its checksum", 1},
		"sends nothing":                {raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "sent nothing", 4},
		"no HTTP":                      {raw("SSH-2.0-OpenSSH_9.2\r\n"), "malformed", 4},
		"closes":                       {raw(""), "EOF", 4},
		"web page": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			_, _ = w.Write([]byte(page))
			return true
		}, "web page", 1},
		"web page in disguise": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write([]byte(page))
			return true
		}, "web page", 1},
		"announces too much": {raw("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nabc"), "announces 999999999", 1},
		"has too much": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			for range 40 {
				_, _ = w.Write(content(64 << 10))
			}
			return true
		}, "larger than the 1048576", 1},
		"401": {status(401), "wants a login", 1},
		"403": {status(403), "a proxy forbids it", 1},
		"404": {status(404), "no such file", 1},
		"407": {status(407), "HTTPS_PROXY", 1},
		"429": {status(429, "Retry-After", "7"), "too many requests", 4},
		"500": {status(500), "500", 4},
		"501": {status(501), "501", 1},
		"503": {status(503), "503", 4},
		"redirects to nowhere": {func(w http.ResponseWriter, r *http.Request, _ int) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, "more than 10 redirects", 0},
		"redirects to a file": {status(302, "Location", "file:///etc/passwd"), "redirected to file", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, content(5000))
			s.fault = c.fault
			f := target(t, s)
			_, err := Get(t.Context(), f, options(t))
			if err == nil || !strings.Contains(err.Error(), c.says) || c.requests > 0 && len(s.requests()) != c.requests {
				t.Errorf("%v, %d requests", err, len(s.requests()))
			}
			if _, err := os.Stat(f.Path); err == nil {
				t.Error("the file got its name")
			}
		})
	}
}

// What passes is waited for, as long as the server asks.
func TestTroubleThatPasses(t *testing.T) {
	s := serve(t, content(5000))
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		return n < 3 && [](func(http.ResponseWriter, *http.Request, int) bool){status(503), status(429, "Retry-After", "7"), status(500)}[n](w, r, n)
	}
	f, o := target(t, s), options(t)
	clock := o.Clock.(*instant)
	if _, err := Get(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	holds(t, f, s.data)
	if fmt.Sprint(clock.pauses) != "[1s 2s 7s 4s]" {
		t.Errorf("pauses %v", clock.pauses)
	}
}

func TestWrongChecksum(t *testing.T) {
	s := serve(t, content(5000))
	f := target(t, s)
	f.Sum.Hex = strings.Repeat("0", 64)
	_, err := Get(t.Context(), f, options(t))
	var wrong *MismatchError
	if !errors.As(err, &wrong) || wrong.Got != sum(s.data) || wrong.Want != f.Sum || len(s.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(s.requests()))
	}
	alone(t, f, 0)
}

// A wrong checksum of a file that comes in pieces ends, too.
func TestWrongChecksumInPieces(t *testing.T) {
	s := serve(t, content(5000))
	s.cuts = []int{2000, 0, 2000, 0, 2000, 0}
	f := target(t, s)
	f.Sum.Hex = strings.Repeat("0", 64)
	_, err := Get(t.Context(), f, options(t))
	var wrong *MismatchError
	if !errors.As(err, &wrong) || len(s.requests()) != 4 {
		t.Errorf("%v, %d requests", err, len(s.requests()))
	}
}

func TestSilence(t *testing.T) {
	s := serve(t, content(5000))
	s.fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		w.Header().Set("Content-Length", "5000")
		_, _ = w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	f, o := target(t, s), options(t)
	o.Stall = 50 * time.Millisecond
	if _, err := Get(t.Context(), f, o); err == nil || !strings.Contains(err.Error(), "no byte arrived for 50ms") {
		t.Error(err)
	}
}

// A redirect to another server is followed; a token is not.
func TestRedirectToAnotherServer(t *testing.T) {
	other := serve(t, content(5000))
	s := serve(t, other.data)
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	s.fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, elsewhere+"/signed?x=1", http.StatusFound)
		return true
	}
	f := target(t, s)
	f.Token = "secret"
	if _, err := Get(t.Context(), f, options(t)); err != nil {
		t.Fatal(err)
	}
	holds(t, f, other.data)
	if a, b := s.requests()[0].Header.Get("Authorization"), other.requests()[0].Header.Get("Authorization"); a != "Bearer secret" || b != "" {
		t.Errorf("the token went out as %q and %q", a, b)
	}
}

// trusting is a client for a TLS server, by the variable that Vagrant's curl knows.
func trusting(t *testing.T, s *httptest.Server) Options {
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return Options{Client: client(t, map[string]string{"CURL_CA_BUNDLE": bundle}), Clock: &instant{}}
}

func TestTLS(t *testing.T) {
	plain := serve(t, content(5000))
	s := &server{data: plain.data, etag: `"one"`}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told of every client that does not trust it
	s.StartTLS()
	defer s.Close()
	f := target(t, s)
	if _, err := Get(t.Context(), f, trusting(t, s.Server)); err != nil {
		t.Error(err)
	}
	f = target(t, s)
	if _, err := Get(t.Context(), f, options(t)); err == nil || !strings.Contains(err.Error(), "CURL_CA_BUNDLE") || !strings.Contains(err.Error(), "not trusted") {
		t.Error(err)
	}
	s.fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, plain.URL+"/x.box", http.StatusFound)
		return true
	}
	if _, err := Get(t.Context(), f, trusting(t, s.Server)); err == nil || !strings.Contains(err.Error(), "redirected from https to http") || len(plain.requests()) > 0 {
		t.Errorf("%v, %d plain requests", err, len(plain.requests()))
	}
	f.URL = strings.Replace(plain.URL, "http:", "https:", 1)
	if _, err := Get(t.Context(), f, options(t)); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Error(err)
	}
}

func TestBundlesThatCannotBeUsed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{empty: "no certificate in PEM", empty + ".none": "cannot be read"} {
		if _, err := NewClient(func(k string) string { return map[string]string{"SSL_CERT_FILE": path}[k] }); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
			t.Error(err)
		}
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	s := serve(t, content(5000))
	f := target(t, s)
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(f.Path + partSuffix + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Get(t.Context(), f, options(t)); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Error(err)
	}
	unlock()
	if _, err := Get(t.Context(), f, options(t)); err != nil {
		t.Error(err)
	}
}

func TestNoPlace(t *testing.T) {
	s := serve(t, content(5000))
	f := target(t, s)
	f.Path = filepath.Join(os.DevNull, "x.box")
	if _, err := Get(t.Context(), f, options(t)); err == nil || !strings.Contains(err.Error(), "no folder") || len(s.requests()) > 0 {
		t.Error(err)
	}
}

func TestParseChecksum(t *testing.T) {
	long := strings.Repeat("AB", 32)
	for _, c := range []struct {
		kind, hex, want string
		ok              bool
	}{
		{"sha256", long, "sha256 " + strings.ToLower(long), true}, {"SHA256", " " + long + "\n", "sha256 " + strings.ToLower(long), true},
		{"md5", strings.Repeat("0", 32), "md5 " + strings.Repeat("0", 32), true}, {"sha512", strings.Repeat("0", 128), "sha512 " + strings.Repeat("0", 128), true},
		{"none", "", " ", true}, {"", "", " ", true}, {"sha256", "", " ", true}, {"none", long, " ", true},
		{"sha256", "abc", "", false}, {"md5", long, "", false}, {"crc32", "00000000", "", false}, {"sha256", strings.Repeat("z", 64), "", false},
	} {
		got, err := ParseChecksum(c.kind, c.hex)
		if (err == nil) != c.ok || c.ok && got.String() != c.want {
			t.Errorf("%q %q: %v, %v", c.kind, c.hex, got, err)
		}
	}
}

func TestRead(t *testing.T) {
	s := serve(t, []byte("text"))
	d := Document{URL: s.URL, Accept: "text/plain", Max: 10, Token: "secret"}
	body, kind, err := Read(t.Context(), d, options(t))
	r := s.requests()[0]
	if string(body) != "text" || !strings.HasPrefix(kind, "text/plain") || err != nil || r.Header.Get("Accept") != "text/plain" || r.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("%q, %q, %v, %v", body, kind, err, r.Header)
	}
	s.data = content(11)
	if _, _, err := Read(t.Context(), d, options(t)); err == nil || !strings.Contains(err.Error(), "larger than the 10 bytes") {
		t.Error(err)
	}
	before := len(s.requests())
	s.fault = status(502)
	if _, _, err := Read(t.Context(), d, options(t)); err == nil || len(s.requests()) != before+3 {
		t.Errorf("%v, %d requests", err, len(s.requests())-before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx, d, options(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Addresses may carry passwords; errors do not.
func TestSecretsOfAddressesAreNotShown(t *testing.T) {
	s := serve(t, content(100))
	s.fault = status(404)
	f := target(t, s)
	f.URL = strings.Replace(s.URL, "http://", "http://user:hunter2@", 1) + "/x.box?access_token=hunter3&x=1"
	_, err := Get(t.Context(), f, options(t))
	if err == nil || strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "x=1") {
		t.Error(err)
	}
	if _, _, err := Read(t.Context(), Document{URL: f.URL, Max: 1}, options(t)); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Error(err)
	}
	for _, address := range []string{"http://user:hunter2@%zz", "https://u:hunter2@host:port/"} {
		if got := Shown(address); strings.Contains(got, "hunter") {
			t.Errorf("%q", got)
		}
	}
}

package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// boxRegistry serves the metadata of org/tiny and its file on loopback.
type boxRegistry struct {
	*httptest.Server
	file []byte
	sum  string // empty: that of file
	hold chan struct{}

	mu    sync.Mutex
	asked []string
}

func (r *boxRegistry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, q.URL.Path+" "+q.Header.Get("Authorization"))
	r.mu.Unlock()
	switch q.URL.Path {
	case "/api/v2/vagrant/org/tiny":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"org/tiny","versions":[{"version":"1.2.3","providers":[{"name":"virtualbox","architecture":"unknown","default_architecture":true,
			"checksum":%q,"checksum_type":"sha256","url":"%s/tiny.box"}]}]}`, r.sum, r.URL)
	case "/tiny.box":
		w.Header().Set("ETag", `"one"`)
		if r.hold != nil {
			w.Header().Set("Content-Length", fmt.Sprint(len(r.file)))
			_, _ = w.Write(r.file[:10])
			w.(http.Flusher).Flush()
			close(r.hold)
			<-q.Context().Done()
			return
		}
		_, _ = w.Write(r.file)
	case "/page/api/v2/vagrant/org/tiny":
		fmt.Fprint(w, "<html><title>Sign in</title></html>")
	default:
		http.NotFound(w, q)
	}
}

func (r *boxRegistry) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// registryTrial is a trial whose registry is on loopback.
func registryTrial(t *testing.T) (*trial, *boxRegistry) {
	t.Helper()
	r := &boxRegistry{file: []byte(strings.Repeat("a synthetic box\n", 64))}
	h := sha256.Sum256(r.file)
	r.sum = hex.EncodeToString(h[:])
	r.Server = httptest.NewUnstartedServer(r) // it answers with its own address, so that must be there first
	r.Start()
	t.Cleanup(r.Close)
	tr := newTrial(t)
	tr.env["VAGRANT_SERVER_URL"], tr.env["VAGRANT_HOME"] = r.URL, t.TempDir()
	return tr, r
}

// valid checks a document against its schema and decodes it.
func valid[T any](t *testing.T, tr *trial, schema string) (v T) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tr.out.Bytes()))
	if err != nil {
		t.Fatalf("%v in %s", err, tr.out)
	}
	s, err := jsonschema.NewCompiler().Compile("../docs/schema/" + schema + ".json")
	if err == nil {
		err = s.Validate(doc)
	}
	if err == nil {
		err = json.Unmarshal(tr.out.Bytes(), &v)
	}
	if err != nil {
		t.Errorf("%v in %s", err, tr.out)
	}
	return v
}

func TestBoxURL(t *testing.T) {
	tr, r := registryTrial(t)
	tr.run(t, 0, "box", "url", "org/tiny")
	want := "org/tiny 1.2.3 for virtualbox, architecture unknown\n  url       " + r.URL + "/tiny.box\n  checksum  sha256 " + r.sum + "\n"
	if tr.out.String() != want {
		t.Errorf("%s", tr.out)
	}
	tr.out.Reset()
	tr.run(t, 0, "box", "url", "org/tiny", "--format", "json")
	if f := valid[foundBox](t, tr, "box"); f.URL != r.URL+"/tiny.box" || f.Checksum.Value != r.sum || f.File != nil || f.MetadataURL != r.URL+"/api/v2/vagrant/org/tiny" {
		t.Errorf("%+v", f)
	}
	r.sum = ""
	tr.out.Reset()
	tr.run(t, 0, "box", "url", "org/tiny")
	if !strings.Contains(tr.out.String(), "the registry gives none, so a download cannot be proven") {
		t.Errorf("%s", tr.out)
	}
}

func TestBoxErrors(t *testing.T) {
	for _, c := range []struct {
		code int
		args string
		says string
	}{
		{1, "url org/none", "has no box org/none"},
		{1, "url org/tiny --version >2", "Choose one: boxdoctor box url org/tiny --version 1.2.3"},
		{1, "url org/tiny --provider libvirt", "it has virtualbox"},
		{2, "url", "needs one box"},
		{2, "url tiny", "ORGANISATION/NAME"},
		{2, "url org/tiny --version", "needs an argument"},
		{2, "url org/tiny --version=", "empty value"},
		{2, "url org/tiny --format yaml", "unknown format"},
		{2, "ulr org/tiny", "Did you mean box url?"},
		{2, "", "url or get"},
		{2, "get org/tiny --add", "vagrant, which is not in PATH"},
	} {
		tr, _ := registryTrial(t)
		tr.lookPath = func(string) (string, error) { return "", exec.ErrNotFound }
		tr.run(t, c.code, append([]string{"box"}, strings.Fields(c.args)...)...)
		tr.wantErr(t, c.says)
	}
	tr, r := registryTrial(t)
	tr.env["VAGRANT_SERVER_URL"] = r.URL + "/page"
	tr.run(t, 3, "box", "url", "org/tiny")
	tr.wantErr(t, `a web page ("Sign in") instead of metadata`)
	tr.env["CURL_CA_BUNDLE"] = "/nowhere.pem"
	tr.run(t, 2, "box", "url", "org/tiny")
	tr.wantErr(t, "CURL_CA_BUNDLE names a bundle")
}

func TestBoxGet(t *testing.T) {
	tr, r := registryTrial(t)
	tr.env["VAGRANT_CLOUD_TOKEN"] = "secret"
	dir := filepath.Join(t.TempDir(), "with space")
	tr.run(t, 0, "box", "get", "org/tiny", "--to", dir, "--format", "json")
	f := valid[foundBox](t, tr, "box").File
	got, err := os.ReadFile(f.Path)
	if err != nil || !bytes.Equal(got, r.file) || !f.Proven || f.Added || f.Size != int64(len(r.file)) || f.Path != filepath.Join(dir, "org-tiny-1.2.3-virtualbox.box") {
		t.Errorf("%+v, %v", f, err)
	}
	local, _ := os.ReadFile(f.Metadata)
	if !strings.Contains(string(local), `"url": "file://`) || !strings.Contains(string(local), "with%20space") {
		t.Errorf("%s", local)
	}
	tr.out.Reset()
	tr.run(t, 0, "box", "get", "org/tiny", "--to", dir)
	if !strings.Contains(tr.out.String(), "vagrant box add '"+f.Metadata+"'") {
		t.Errorf("%s", tr.out)
	}
	want := []string{"/api/v2/vagrant/org/tiny Bearer secret", "/tiny.box Bearer secret", "/api/v2/vagrant/org/tiny Bearer secret"}
	if asked := r.requests(); fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked %q", asked)
	}
	if text := tr.out.String() + tr.err.String(); strings.Contains(text, "secret") {
		t.Errorf("the token is shown: %s", text)
	}
}

func TestBoxGetFaults(t *testing.T) {
	tr, r := registryTrial(t)
	r.sum = strings.Repeat("0", 64)
	dir := t.TempDir()
	tr.run(t, 1, "box", "get", "org/tiny", "--to", dir)
	tr.wantErr(t, "does not match its checksum")
	r.file = []byte("<!DOCTYPE html><title>Proxy</title>")
	tr.run(t, 3, "box", "get", "org/tiny", "--to", dir)
	tr.wantErr(t, "web page instead of the file")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// Ctrl-C keeps the part and says how to go on; the same command does.
func TestBoxGetInterrupted(t *testing.T) {
	tr, r := registryTrial(t)
	r.hold = make(chan struct{})
	dir := t.TempDir()
	go func() {
		<-r.hold
		tr.signals <- os.Interrupt
	}()
	tr.run(t, 130, "box", "get", "org/tiny", "--to", dir)
	part := filepath.Join(dir, "org-tiny-1.2.3-virtualbox.box.part")
	if _, err := os.Stat(part); err == nil { // the interruption may come before the first bytes are written
		tr.wantErr(t, "bytes are kept in "+part+", and the same command goes on from there")
	}
	r.hold = nil
	tr.run(t, 0, "box", "get", "org/tiny", "--to", dir)
}

// fakeVagrant notes its arguments and does what `vagrant box add` does with Vagrant's record.
const fakeVagrant = `#!/bin/sh
# synthetic
echo "$@" > "$VAGRANT_HOME/args"
mkdir -p "$VAGRANT_HOME/boxes/org-VAGRANTSLASH-tiny"
printf 'file://%s' "$3" > "$VAGRANT_HOME/boxes/org-VAGRANTSLASH-tiny/metadata_url"
cp "$3" "$VAGRANT_HOME/seen.json"
exit "${FAKE_EXIT:-0}"
`

func TestBoxGetAdd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for vagrant is a shell script")
	}
	tr, r := registryTrial(t)
	script := filepath.Join(t.TempDir(), "vagrant")
	if err := os.WriteFile(script, []byte(fakeVagrant), 0o700); err != nil {
		t.Fatal(err)
	}
	tr.lookPath = func(string) (string, error) { return script, nil }
	home := tr.env["VAGRANT_HOME"]
	t.Setenv("VAGRANT_HOME", home)
	t.Setenv("FAKE_EXIT", "7")
	tr.run(t, 1, "box", "get", "org/tiny", "--add")
	tr.wantErr(t, "vagrant box add failed (exit status 7)")
	t.Setenv("FAKE_EXIT", "0")
	tr.run(t, 0, "box", "get", "org/tiny", "--add", "--arch", "unknown", "--format", "json")
	f := valid[foundBox](t, tr, "box").File
	metadata := filepath.Join(tr.env[stateEnv], "boxes", "org-tiny-1.2.3-virtualbox.json")
	if f.Metadata != metadata || !f.Added {
		t.Errorf("%+v", f)
	}
	for path, want := range map[string]string{"args": "box add " + metadata + " --architecture unknown\n",
		"boxes/org-VAGRANTSLASH-tiny/metadata_url": r.URL + "/api/v2/vagrant/org/tiny"} {
		if got, _ := os.ReadFile(filepath.Join(home, path)); string(got) != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(metadata)); len(left) != 0 {
		t.Errorf("the download is removed: %v", left)
	}
	if _, err := os.Stat(filepath.Join(home, "seen.json")); err != nil {
		t.Error(err)
	}
	had := len(r.requests())
	box := filepath.Join(home, "boxes", "org-VAGRANTSLASH-tiny", "1.2.3", "virtualbox")
	if err := errors.Join(os.MkdirAll(box, 0o755), os.WriteFile(filepath.Join(box, "metadata.json"), []byte("{}"), 0o644)); err != nil {
		t.Fatal(err)
	}
	tr.out.Reset()
	tr.run(t, 0, "box", "get", "org/tiny", "--add")
	if !strings.Contains(tr.out.String(), "nothing was downloaded") || len(r.requests()) != had+1 {
		t.Errorf("%s, %q", tr.out, r.requests()[had:])
	}
}

// The proxy of the environment is used; the binary is run, because Go reads these variables once.
func TestBoxURLThroughAProxy(t *testing.T) {
	_, r := registryTrial(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "boxdoctor")
	if err := os.Symlink(exe, link); err != nil {
		t.Skip(err)
	}
	c := exec.CommandContext(t.Context(), link, "box", "url", "org/tiny")
	c.Env = append(os.Environ(), "HTTP_PROXY="+r.URL, "NO_PROXY=", "no_proxy=", "VAGRANT_SERVER_URL=http://registry.example", stateEnv+"="+t.TempDir())
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "org/tiny 1.2.3") {
		t.Errorf("%v\n%s", err, out)
	}
}

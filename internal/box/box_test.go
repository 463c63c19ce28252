package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/boxdoctor/boxdoctor/internal/download"
)

// synthetic is metadata in the shape that the registry sends (its fields were seen in public answers of 2024 to 2026): newest version
// first, an architecture for each file, old files of architecture unknown, no checksum as "none".
const synthetic = `{
  "description": "synthetic", "short_description": "synthetic", "name": "org/name",
  "versions": [
    {"version": "202309.10.0", "status": "active", "description_html": "<p>x</p>", "description_markdown": "x", "providers": [
      {"name": "virtualbox", "architecture": "amd64", "default_architecture": true, "checksum": "` + hash + `", "checksum_type": "sha256",
       "url": "https://registry.example/org/boxes/name/versions/202309.10.0/providers/virtualbox/amd64/vagrant.box"},
      {"name": "virtualbox", "architecture": "arm64", "default_architecture": false, "checksum": "", "checksum_type": "none",
       "url": "https://registry.example/org/boxes/name/versions/202309.10.0/providers/virtualbox/arm64/vagrant.box"},
      {"name": "libvirt", "architecture": "amd64", "default_architecture": true, "checksum": null, "checksum_type": null,
       "url": "https://registry.example/org/boxes/name/versions/202309.10.0/providers/libvirt/amd64/vagrant.box"}]},
    {"version": "202309.9.0", "status": "active", "providers": [
      {"name": "virtualbox", "architecture": "unknown", "default_architecture": true, "checksum": "", "checksum_type": "none",
       "url": "https://registry.example/org/boxes/name/versions/202309.9.0/providers/virtualbox/unknown/vagrant.box"}]},
    {"version": "202310.1.0.rc1", "status": "active", "providers": [
      {"name": "hyperv", "architecture": "amd64", "default_architecture": true, "url": "https://registry.example/h.box"}]},
    {"version": "not a version", "providers": [{"name": "virtualbox", "url": "https://registry.example/never.box"}]},
    {"version": "1.0.0", "providers": [{"name": "virtualbox", "url": "https://registry.example/old.box"}]},
    {"version": "0.9.0", "providers": []}
  ]
}`

const hash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func parsed(t *testing.T, text string) Metadata {
	t.Helper()
	m, err := parseMetadata([]byte(text), "org/name")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestChoose(t *testing.T) {
	m := parsed(t, synthetic)
	for _, c := range []struct{ version, provider, arch, host, want string }{
		{"", "virtualbox", Auto, "amd64", "202309.10.0 virtualbox/amd64/vagrant.box"},
		{"", "virtualbox", Auto, "arm64", "202309.10.0 virtualbox/arm64/vagrant.box"},
		{"", "virtualbox", "arm64", "amd64", "202309.10.0 virtualbox/arm64/vagrant.box"},
		{"", "libvirt", Auto, "amd64", "202309.10.0 libvirt/amd64/vagrant.box"},
		{"", "virtualbox", Auto, "i386", "202309.9.0 virtualbox/unknown/vagrant.box"},
		{"< 202309.10", "virtualbox", Auto, "amd64", "202309.9.0 virtualbox/unknown/vagrant.box"},
		{"202309.09.0", "virtualbox", Auto, "amd64", "202309.9.0 virtualbox/unknown/vagrant.box"},
		{"~> 1.0", "virtualbox", Auto, "arm64", "1.0.0 /old.box"},
		{"", "hyperv", Auto, "amd64", "202310.1.0.rc1 /h.box"},
	} {
		got, err := m.Choose(Want{c.version, c.provider, c.arch, c.host})
		version, suffix, _ := strings.Cut(c.want, " ")
		if err != nil || got.Version != version || !strings.HasSuffix(got.Provider.URL, suffix) {
			t.Errorf("%+v: %s %s, %v", c, got.Version, got.Provider.URL, err)
		}
	}
	got, _ := m.Choose(Want{"", "virtualbox", Auto, "amd64"})
	if got.Sum != (download.Checksum{Kind: "sha256", Hex: hash}) || got.Name != "org/name" {
		t.Errorf("%+v", got)
	}
	if got, _ := m.Choose(Want{"", "libvirt", Auto, "amd64"}); !got.Sum.IsZero() {
		t.Errorf("no checksum is none: %+v", got)
	}
}

// What is not there is told with what is, and a command.
func TestNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		metadata string
		want     Want
		says     []string
	}{
		"no version":     {synthetic, Want{">= 300000", "virtualbox", Auto, "amd64"}, []string{`no version that is ">= 300000"`, "202310.1.0.rc1, 202309.10.0", "--version 202309.10.0"}},
		"no provider":    {synthetic, Want{"", "parallels", Auto, "amd64"}, []string{"nothing for parallels; it has hyperv, libvirt, virtualbox", "--provider hyperv"}},
		"no arch":        {synthetic, Want{"202309.10.0", "virtualbox", Auto, "ppc64le"}, []string{"ppc64le (this computer's)", "amd64, arm64, unknown", "--arch amd64"}},
		"no arch, asked": {synthetic, Want{"", "libvirt", "arm64", "amd64"}, []string{"architecture arm64 ", "it has amd64"}},
		"asked of a registry without": {`{"name":"org/name","versions":[{"version":"1","providers":[{"name":"virtualbox","url":"u"}]}]}`,
			Want{"", "virtualbox", "amd64", "amd64"}, []string{"it has none by name"}},
		"no versions":  {`{"name":"org/name","versions":[]}`, Want{"", "virtualbox", Auto, "amd64"}, []string{"has no versions"}},
		"no providers": {`{"name":"org/name","versions":[{"version":"1","providers":[]}]}`, Want{"", "virtualbox", Auto, "amd64"}, []string{"it has nothing"}},
		"no address":   {`{"name":"org/name","versions":[{"version":"1","providers":[{"name":"virtualbox"}]}]}`, Want{"", "virtualbox", Auto, "amd64"}, []string{"no address"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(t, c.metadata).Choose(c.want)
			var missing *NotThereError
			if !errors.As(err, &missing) {
				t.Fatalf("%v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v; want %q", err, s)
				}
			}
		})
	}
}

func TestChecksumsThatCannotBeUsed(t *testing.T) {
	m := parsed(t, `{"name":"org/name","versions":[{"version":"1","providers":[{"name":"virtualbox","url":"u","checksum":"abc","checksum_type":"sha256"}]}]}`)
	if _, err := m.Choose(Want{"", "virtualbox", Auto, "amd64"}); err == nil || !strings.Contains(err.Error(), "is no sha256 checksum") {
		t.Error(err)
	}
	if _, err := m.Choose(Want{"newest", "virtualbox", Auto, "amd64"}); err == nil || !strings.Contains(err.Error(), "no condition") {
		t.Error(err)
	}
}

// What a registry says is never shown as a command.
func TestHostileNamesAreNotCommands(t *testing.T) {
	m := parsed(t, `{"name":"org/name","versions":[{"version":"1","providers":[{"name":"x; rm -rf ~","url":"u","architecture":"$(id)"}]}]}`)
	for _, w := range []Want{{"", "virtualbox", Auto, "amd64"}, {"", "x; rm -rf ~", "amd64", "amd64"}} {
		_, err := m.Choose(w)
		if err == nil || strings.ContainsAny(err.(*NotThereError).Hint, ";$`(") {
			t.Errorf("%v", err)
		}
	}
	if got := (Choice{Name: "a/b", Version: "1", Provider: Provider{Name: "../x", Architecture: "a/b"}}).FileName(); got != "a-b-1-.._x-a_b.box" {
		t.Errorf("%q", got)
	}
}

// registry serves metadata on loopback.
type registry struct {
	*httptest.Server
	answers map[string]func(http.ResponseWriter, *http.Request)
	asked   []*http.Request
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.asked = append(r.asked, q)
	answer, ok := r.answers[q.URL.Path]
	if !ok {
		http.Error(w, `{"errors":["Not found"],"success":false}`, http.StatusNotFound)
		return
	}
	answer(w, q)
}

func sends(code int, contentType, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

type noPause struct{}

func (noPause) Now() time.Time                                  { return time.Time{} }
func (noPause) Wait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func open(t *testing.T, answers map[string]func(http.ResponseWriter, *http.Request)) (*registry, download.Options) {
	t.Helper()
	r := &registry{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	c, err := download.NewClient(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return r, download.Options{Client: c, Clock: noPause{}}
}

const path1, path2 = "/api/v2/vagrant/org/name", "/org/name"

func TestLookup(t *testing.T) {
	good := sends(200, "application/json; charset=utf-8", synthetic)
	for name, answers := range map[string]map[string]func(http.ResponseWriter, *http.Request){
		path1: {path1: good},
		path2: {path2: good},
	} {
		r, o := open(t, answers)
		m, from, err := Registry{Server: r.URL + "/", Token: "secret"}.Lookup(t.Context(), "org/name", o)
		if err != nil || from != r.URL+name || len(m.Versions) != 6 {
			t.Errorf("%s: %s, %d versions, %v", name, from, len(m.Versions), err)
		}
		if h := r.asked[0].Header; h.Get("Accept") != "application/json" || h.Get("Authorization") != "Bearer secret" {
			t.Errorf("%v", h)
		}
	}
}

func TestLookupFaults(t *testing.T) {
	page := "<html><head><title>Sign in\n to HashiCorp</title></head></html>"
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		says   []string
	}{
		"no such box":        {nil, []string{"has no box org/name", "404", "VAGRANT_CLOUD_TOKEN"}},
		"web page":           {sends(200, "text/html; charset=utf-8", page), []string{`a web page ("Sign in to HashiCorp")`, "HTTPS_PROXY"}},
		"web page as JSON":   {sends(200, "application/json", page), []string{"a web page"}},
		"text":               {sends(200, "text/plain", "hello"), []string{"(text/plain)", "no metadata of a box"}},
		"other JSON":         {sends(200, "application/json", `{"success":true}`), []string{"names no versions"}},
		"list":               {sends(200, "application/json", `[]`), []string{"no metadata of a box"}},
		"cut JSON":           {sends(200, "application/json", synthetic[:200]), []string{"no metadata of a box"}},
		"another box":        {sends(200, "application/json", strings.Replace(synthetic, "org/name", "org/other", 1)), []string{`that of "org/other"`}},
		"401":                {sends(401, "application/json", "{}"), []string{"401", "wants a login"}},
		"403":                {sends(403, "text/html", page), []string{"403"}},
		"429":                {sends(429, "text/plain", ""), []string{"too many requests"}},
		"503":                {sends(503, "text/html", page), []string{"503"}},
		"endless redirect":   {func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, q.URL.Path, 302) }, []string{"redirects"}},
		"larger than allows": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxMetadata+1)) }, []string{"larger than"}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]func(http.ResponseWriter, *http.Request){}
			if c.answer != nil {
				answers[path1] = c.answer
			}
			r, o := open(t, answers)
			_, _, err := Registry{Server: r.URL}.Lookup(t.Context(), "org/name", o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v; want %q", err, s)
				}
			}
		})
	}
}

func TestServersThatAreNone(t *testing.T) {
	for _, server := range []string{"", "vagrantcloud.com", "ftp://x", "https://", "://"} {
		if _, _, err := (Registry{Server: server}).Lookup(t.Context(), "org/name", download.Options{}); err == nil || !strings.Contains(err.Error(), "VAGRANT_SERVER_URL") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{"bento/ubuntu-24.04": true, "a/b": true, "a.b_c/d-e": true, "": false, "a": false, "a/b/c": false, "../b": false, "a/..": false,
		"a/b?x": false, "a b/c": false, "/b": false, "https://x/y": false, "a/" + strings.Repeat("x", 300): false} {
		if ValidName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// Local metadata says what Vagrant needs to keep name, version, provider and architecture.
func TestLocal(t *testing.T) {
	c, err := parsed(t, synthetic).Choose(Want{"", "virtualbox", Auto, "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Local("/tmp/a b/x#1.box")
	var got, want any
	_ = json.Unmarshal(b, &got)
	_ = json.Unmarshal([]byte(`{"name":"org/name","versions":[{"version":"202309.10.0","providers":[{"name":"virtualbox","url":"file:///tmp/a%20b/x%231.box",
		"checksum":"`+hash+`","checksum_type":"sha256","architecture":"amd64","default_architecture":true}]}]}`), &want)
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	c, _ = parsed(t, synthetic).Choose(Want{"1.0.0", "virtualbox", Auto, "amd64"})
	if b, _ := c.Local("/x.box"); strings.Contains(string(b), "architecture") || strings.Contains(string(b), "checksum") {
		t.Errorf("what the registry does not say is not invented: %s", b)
	}
	if got := FileURL(`C:/Users/me/x.box`); got != "file:///C:/Users/me/x.box" {
		t.Errorf("%q", got)
	}
}

func TestInstalledAndOrigin(t *testing.T) {
	home := t.TempDir()
	c := Choice{Name: "org/name", Version: "1.0", Provider: Provider{Name: "virtualbox", Architecture: "amd64"}, MetadataURL: "https://registry.example/api/v2/vagrant/org/name"}
	if dir := c.Installed(home); dir != "" {
		t.Errorf("installed in %s", dir)
	}
	if err := c.KeepOrigin(home, "/tmp/x.json"); err != nil {
		t.Errorf("no record, nothing to do: %v", err)
	}
	record := filepath.Join(home, "boxes", "org-VAGRANTSLASH-name", "metadata_url")
	for _, dir := range []string{"1.0/virtualbox", "1.0/amd64/virtualbox"} {
		full := filepath.Join(filepath.Dir(record), filepath.FromSlash(dir))
		put(t, filepath.Join(full, "metadata.json"), "{}")
		if got := c.Installed(home); got != full {
			t.Errorf("%s: %s", dir, got)
		}
	}
	for noted, want := range map[string]string{
		"file:///tmp/a%20b.json":     c.MetadataURL,
		"/tmp/a b.json":              c.MetadataURL,
		"https://other.example/meta": "https://other.example/meta",
		"file:///tmp/c.json":         "file:///tmp/c.json",
	} {
		put(t, record, noted)
		if err := c.KeepOrigin(home, "/tmp/a b.json"); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(record); string(got) != want {
			t.Errorf("%s became %s, want %s", noted, got, want)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzMetadata holds that whatever a registry sends gives a choice or an error, and a file name that is one.
func FuzzMetadata(f *testing.F) {
	f.Add(synthetic, "", "virtualbox", "auto")
	f.Add(`{"versions":[{"version":"1.0-x.y","providers":[{"name":"v","default_architecture":false}]}]}`, "~> 1.0.a", "v", "amd64")
	f.Add(`{"name":"ORG/name","versions":[null,{"providers":[{}]}]}`, "!= 1, > 0", "", "")
	f.Fuzz(func(t *testing.T, text, version, provider, arch string) {
		m, err := parseMetadata([]byte(text), "org/name")
		if err != nil {
			return
		}
		c, err := m.Choose(Want{version, provider, arch, "amd64"})
		if err != nil {
			return
		}
		if name := c.FileName(); name != filepath.Base(name) || strings.ContainsAny(name, "/\\: \x00") {
			t.Errorf("file name %q", name)
		}
		if _, err := c.Local("/x"); err != nil {
			t.Error(fmt.Errorf("local metadata: %w", err))
		}
	})
}

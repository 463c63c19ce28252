package sshguest

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/sshserver"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	k, err := sshserver.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRSASigner(t *testing.T) ssh.Signer {
	t.Helper()
	k, err := sshserver.NewRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFirstUseIsTrustedAndKept(t *testing.T) {
	b := newBed(t, nil)
	b.dial(t)
	file := filepath.Join(b.cfg.KeyStore, b.cfg.HostKeyID)
	if got, want := read(t, file), string(ssh.MarshalAuthorizedKey(b.HostKeys()[0])); got != want || !strings.HasPrefix(got, "ssh-ed25519 AAAA") {
		t.Errorf("kept %q, want %q", got, want)
	}
	if fi, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if all, err := os.ReadDir(b.cfg.KeyStore); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
	b.dial(t)

	b.SetHostKeys(newSigner(t))
	e, _ := b.failsWith(t, "hostkey_changed")
	mustContain(t, e.Text, "now shows the host key ssh-ed25519 SHA256:", "is on record", b.cfg.HostKeyID, "destroyed and created again has another id")
	if want := "rm " + file; e.Command != want {
		t.Errorf("command %q, want %q", e.Command, want)
	}
	if err := os.Remove(file); err != nil { // what the command does
		t.Fatal(err)
	}
	b.dial(t)
	b.cfg.HostKeyID = "another-vm"
	b.SetHostKeys(newSigner(t))
	b.dial(t) // a recreated VM is another machine
}

func TestAChangedTypeIsAChangedKey(t *testing.T) {
	b := newBed(t, nil)
	b.dial(t)
	b.SetHostKeys(newRSASigner(t))
	b.failsWith(t, "hostkey_changed")
}

func TestTheTypeOnRecordIsPreferred(t *testing.T) {
	ed, rsa := newSigner(t), newRSASigner(t)
	for name, known := range map[string]ssh.Signer{"ed25519": ed, "rsa": rsa} {
		b := newBed(t, func(o *sshserver.Options) { o.HostKeys = []ssh.Signer{known} })
		b.dial(t)
		b.SetHostKeys(ed, rsa) // as after a distribution upgrade that adds a key
		g := b.dial(t)
		if got := g.firstKey(); !sameKey(got, known.PublicKey()) {
			t.Errorf("%s: the guest was asked for %s", name, got.Type())
		}
	}
}

func TestDamagedKeyStore(t *testing.T) {
	b := newBed(t, nil)
	b.dial(t)
	file := filepath.Join(b.cfg.KeyStore, b.cfg.HostKeyID)
	for _, text := range []string{"", "ssh-ed25519 AAAA\n", "junk"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, _ := b.failsWith(t, "config")
		mustContain(t, e.Text, "damaged", file)
		mustContain(t, e.Command, "rm "+file)
	}
}

func TestUnknownKeys(t *testing.T) {
	b := newBed(t, nil)
	b.cfg.TrustFirstUse = false
	e, _ := b.failsWith(t, "hostkey_unknown")
	mustContain(t, e.Text, ssh.FingerprintSHA256(b.HostKeys()[0]))
	mustContain(t, e.Command, "ssh-keyscan -p", b.cfg.KeyStore)

	ask := &asker{t: t, yes: []bool{false}}
	b.cfg.Ask = ask
	b.failsWith(t, "hostkey_unknown")
	mustContain(t, ask.prompts[0], ssh.FingerprintSHA256(b.HostKeys()[0]), "web-1")
	b.cfg.Ask = &asker{t: t, yes: []bool{true}}
	b.dial(t)
	b.cfg.Ask = &asker{t: t}
	b.dial(t) // kept
}

func TestTrustOnFirstUseIsForLoopbackOnly(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.1": true, "::1": true, "localhost": true, "LocalHost": true,
		"192.168.56.10": false, "example.org": false, "localhost.example.org": false, "0.0.0.0": false, "": false,
	} {
		cfg := Config{Host: host, Port: 22, User: "u", HostKeyID: "id", TrustFirstUse: true, KeyStore: t.TempDir()}
		if cfg.loopback() != want {
			t.Errorf("%q: loopback %v, want %v", host, !want, want)
		}
		k := &keyChecker{g: &Guest{cfg: cfg}}
		err := k.check(cfg.addr(), cfg.netAddr(), newSigner(t).PublicKey())
		if (err == nil) != want {
			t.Errorf("%q: %v, want trusted=%v", host, err, want)
		}
		cfg.HostKeyID, cfg.NoHostKeyFile = "", true
		k = &keyChecker{g: &Guest{cfg: cfg}}
		if k.careless() != want {
			t.Errorf("%q: NoHostKeyFile honoured: %v, want %v", host, !want, want)
		}
	}
}

// known returns a bed that uses known_hosts, and the file.
func known(t *testing.T, text string, hostKeys ...ssh.Signer) (*bed, string) {
	t.Helper()
	b := newBed(t, func(o *sshserver.Options) { o.HostKeys = hostKeys })
	b.cfg.HostKeyID, b.cfg.TrustFirstUse = "", false
	file := filepath.Join(t.TempDir(), "known_hosts")
	b.cfg.KnownHosts = []string{filepath.Join(t.TempDir(), "absent"), file}
	text = strings.ReplaceAll(text, "ADDR", knownhosts.Normalize(b.cfg.addr()))
	text = strings.ReplaceAll(text, "HASHED", knownhosts.HashHostname(knownhosts.Normalize(b.cfg.addr())))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b, file
}

func line(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }

func TestKnownHosts(t *testing.T) {
	host, other, rsa := newSigner(t), newSigner(t), newRSASigner(t)
	right, wrong := line(host.PublicKey()), line(other.PublicKey())
	for name, c := range map[string]struct {
		text  string
		keys  []ssh.Signer
		class string
	}{
		"plain":                   {text: "ADDR " + right},
		"hashed":                  {text: "HASHED " + right},
		"list of names":           {text: "example.org,ADDR " + right + " comment"},
		"two keys":                {text: "ADDR " + wrong + "\nADDR " + right},
		"changed":                 {text: "ADDR " + wrong, class: "hostkey_changed"},
		"changed, hashed":         {text: "HASHED " + wrong, class: "hostkey_changed"},
		"unknown":                 {text: "example.org " + right, class: "hostkey_unknown"},
		"empty":                   {text: "", class: "hostkey_unknown"},
		"revoked":                 {text: "@revoked * " + right + "\nADDR " + right, class: "hostkey_changed"},
		"damaged lines":           {text: "junk\nexample.org ssh-new AAAA\n# c\n\nADDR " + right + "\n@odd x y z\n|1|x|y| ssh-rsa AAAA\n"},
		"all damaged":             {text: "ADDR ssh-ed25519 AAAA\n", class: "hostkey_unknown"},
		"type on record, not 1st": {text: "ADDR " + line(rsa.PublicKey()), keys: []ssh.Signer{host, rsa}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.keys == nil {
				c.keys = []ssh.Signer{host}
			}
			b, file := known(t, c.text, c.keys...)
			if c.class == "" {
				b.dial(t)
				return
			}
			e, _ := b.failsWith(t, c.class)
			switch {
			case name == "revoked":
				mustContain(t, e.Text, "revoked")
				mustContain(t, e.Command, "ssh-keygen -F '["+b.cfg.Host+"]:")
			case c.class == "hostkey_changed":
				mustContain(t, e.Command, "ssh-keygen -R '["+b.cfg.Host+"]:", " -f "+file)
			default:
				mustContain(t, e.Text, ssh.FingerprintSHA256(host.PublicKey()))
				mustContain(t, e.Command, "ssh -p")
			}
		})
	}
}

func TestAcceptedKeyGoesToKnownHosts(t *testing.T) {
	b, _ := known(t, "", newSigner(t))
	file := b.cfg.KnownHosts[0] // the first file is where ssh writes
	if err := os.WriteFile(file, []byte("# no newline at the end"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.cfg.Ask = &asker{t: t, yes: []bool{true}}
	b.dial(t)
	if got := read(t, file); !strings.HasPrefix(got, "# no newline at the end\n[127.0.0.1]:") {
		t.Errorf("known_hosts %q", got)
	}
	b.cfg.Ask = &asker{t: t}
	b.dial(t)
}

// The library shows the host key again whenever the session keys change. Nobody may be asked then.
func TestRekeyAsksNobody(t *testing.T) {
	b := newBed(t, func(o *sshserver.Options) { o.RekeyBytes = 64 << 10 })
	b.cfg.TrustFirstUse = false
	ask := &asker{t: t, yes: []bool{true}}
	b.cfg.Ask = ask
	g := b.dial(t)
	res, err := g.Run(t.Context(), script("much", "dd if=/dev/zero bs=1024 count=1024 2>/dev/null"))
	if err != nil || len(res.Stdout) != 1<<20 {
		t.Errorf("%v, %d bytes", err, len(res.Stdout))
	}
	ask.done()
}

func TestCarelessConfigurationOnLoopback(t *testing.T) {
	b, file := known(t, "", newSigner(t))
	b.cfg.NoHostKeyFile = true
	g := b.dial(t)
	if got := read(t, file); got != "" {
		t.Errorf("known_hosts was written: %q", got)
	}
	// Even so, the machine may not change while boxdoctor works on it.
	b.SetHostKeys(newSigner(t))
	b.DropAll()
	_, err := g.Run(t.Context(), script("x", "true"))
	mustContain(t, errText(err), "did not run", "from earlier in this run")
}

func TestReconnectInsistsOnTheSameKey(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	b.SetHostKeys(newSigner(t))
	if err := os.RemoveAll(b.cfg.KeyStore); err != nil {
		t.Fatal(err)
	}
	err := g.Reconnect(t.Context())
	e, ok := err.(*DialError)
	if !ok || e.Class != "hostkey_changed" {
		t.Errorf("got %v", err)
	}
}

func TestPreferKeepsCertificatesOutWithoutAnAuthority(t *testing.T) {
	all := modern().HostKeys
	k := &keyChecker{g: &Guest{}, known: []ssh.PublicKey{newRSASigner(t).PublicKey()}}
	got := k.prefer(all)
	if got[0] != ssh.KeyAlgoRSASHA256 || slices.ContainsFunc(got, func(a string) bool { return strings.Contains(a, "-cert-") }) {
		t.Errorf("prefer: %v", got)
	}
	k.certs = true
	if got = k.prefer(all); len(got) != len(all) || !strings.Contains(got[0], "-cert-") {
		t.Errorf("with an authority: %v", got)
	}
}

func FuzzKeyStore(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHhAYiq+ZHyz0j9rPGcCSNn5QvX2RIDZs6Af3UJvxKa\n"))
	f.Add([]byte("# c\n\nssh-ed25519 AAAA"))
	f.Add([]byte("command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHhAYiq+ZHyz0j9rPGcCSNn5QvX2RIDZs6Af3UJvxKa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys and error %v", len(keys), err)
		}
		for _, k := range keys {
			again, err := parseKeys(ssh.MarshalAuthorizedKey(k))
			if err != nil || len(again) != 1 || !sameKey(again[0], k) {
				t.Fatalf("%v does not survive", k)
			}
		}
	})
}

func FuzzKnownHosts(f *testing.F) {
	good := "example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHhAYiq+ZHyz0j9rPGcCSNn5QvX2RIDZs6Af3UJvxKa"
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimPrefix(good, "example.org ")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("junk\n|1|x|y z"))
	f.Add([]byte("@revoked"))
	f.Add([]byte("[ ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHhAYiq+ZHyz0j9rPGcCSNn5QvX2RIDZs6Af3UJvxKa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Contains(string(b), "example.org") || strings.ContainsAny(string(b), "@!*?") || len(b) > 500 {
			t.Skip("may rightly change what is known")
		}
		// Whatever stands before and after, a good line counts.
		lookup, err := lenientKnownHosts([]byte(string(b) + "\n" + good + "\n" + string(b)))
		if err != nil {
			t.Fatal(err)
		}
		if err := lookup("example.org:22", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 22}, key); err != nil {
			t.Errorf("after %q: %v", b, err)
		}
	})
}

// The commands that an error recommends must do what it says.
func TestRecommendedCommandsWork(t *testing.T) {
	mustLook(t, "ssh-keyscan")
	mustLook(t, "ssh-keygen")
	b := newBed(t, nil)
	b.cfg.TrustFirstUse = false
	e, _ := b.failsWith(t, "hostkey_unknown")
	run(t, "", "sh", "-c", e.Command)
	b.dial(t)

	b, file := known(t, "ADDR "+line(newSigner(t).PublicKey())+"\nexample.org "+line(newSigner(t).PublicKey())+"\n", newSigner(t))
	e, _ = b.failsWith(t, "hostkey_changed")
	run(t, "", "sh", "-c", e.Command)
	b.failsWith(t, "hostkey_unknown")
	if got := read(t, file); strings.Contains(got, "127.0.0.1") || !strings.Contains(got, "example.org") {
		t.Errorf("known_hosts after the command: %q", got)
	}
}

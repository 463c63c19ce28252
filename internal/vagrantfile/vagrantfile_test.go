package vagrantfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// samples are the synthetic Vagrantfiles of testdata.
func samples(tb testing.TB) []string {
	tb.Helper()
	all, err := filepath.Glob("testdata/*.Vagrantfile")
	if err != nil || len(all) < 40 {
		tb.Fatalf("%d samples, %v", len(all), err)
	}
	return all
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Every sample is read into the JSON beside it.
func TestSamples(t *testing.T) {
	for _, path := range samples(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".Vagrantfile")
		t.Run(name, func(t *testing.T) {
			p := Parse(read(t, path), Options{})
			got, err := json.MarshalIndent(p, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, "testdata/"+name+".json", append(got, '\n'))
		})
	}
}

// What the caller knows of the world makes values known that the file alone does not.
func TestOptions(t *testing.T) {
	src := `# synthetic
CONFIG = File.join(File.dirname(__FILE__), "local.rb")
$n = 1
if File.exist?(CONFIG)
  require CONFIG
end
Vagrant.configure("2") do |config|
  config.vm.box = ENV["BOX"] || "plain/box"
  config.vm.hostname = ENV.fetch("NAME", "nobody")
  config.vbguest.auto_update = false if Vagrant.has_plugin?("vagrant-vbguest")
  config.vm.synced_folder File.expand_path("../shared", __dir__), "/shared"
  config.vm.boot_timeout = $n
end
`
	env := func(id string) (string, bool) { return "env/box", id == "BOX" }
	p := Parse([]byte(src), Options{Path: "/home/u/p/Vagrantfile", LookupEnv: env,
		HasPlugin: func(id string) bool { return id == "vagrant-vbguest" }, Exists: func(string) bool { return false }})
	m := p.Machines[0]
	if v, err := m.Box.Value.Get(); v != "env/box" || err != nil {
		t.Errorf("box %q, %v", v, err)
	}
	if v, err := m.Hostname.Value.Get(); v != "nobody" || err != nil {
		t.Errorf("hostname %q, %v", v, err)
	}
	if v, err := m.Settings["vbguest.auto_update"].Value.Get(); v != "false" || err != nil {
		t.Errorf("auto_update %q, %v", v, err)
	}
	if v, err := m.SyncedFolders[0].Host.Value.Get(); v != "/home/u/shared" || err != nil {
		t.Errorf("folder %q, %v", v, err)
	}
	if v, err := m.BootTimeout.Value.Get(); v != 1 || err != nil || len(p.Problems) > 0 {
		t.Errorf("a file that is not there is not loaded: %d, %v, %v", v, err, p.Problems)
	}
	p = Parse([]byte(src), Options{Path: "/home/u/p/Vagrantfile", Exists: func(path string) bool { return path == "/home/u/p/local.rb" }})
	if _, err := p.Machines[0].BootTimeout.Value.Get(); err == nil || len(p.Problems) != 1 || p.Problems[0].Kind != Unfollowed {
		t.Errorf("a file that is loaded may change everything: %v, %v", err, p.Problems)
	}
}

func TestSettingOr(t *testing.T) {
	m := Parse([]byte("# synthetic\nVagrant.configure('2') { |c| c.vm.box = `hostname` }\n"), Options{}).Machines[0]
	if v, err := m.Hostname.Or("default").Get(); v != "default" || err != nil {
		t.Errorf("what is not set has its default: %q, %v", v, err)
	}
	if v, err := m.Box.Or("default").Get(); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("what cannot be known has none: %q, %v", v, err)
	}
}

// Limits end the reading with a problem; nothing is followed for ever or built without bound.
func TestLimits(t *testing.T) {
	configure := "Vagrant.configure('2') { |c| c.vm.box = 'x' }\n"
	for name, c := range map[string]struct{ src, says string }{
		"size":           {strings.Repeat("#", MaxSize+1), "at most 1048576 are read"},
		"binary":         {"a\x00b", "not a text"},
		"not utf-8":      {"a = '\xff'", "not a text"},
		"nesting":        {strings.Repeat("[", 10_000), "levels deep"},
		"blocks":         {strings.Repeat("a { ", 10_000), "levels deep"},
		"interpolation":  {strings.Repeat(`"#{`, 10_000), "nested too deeply"},
		"operators":      {"a = 1" + strings.Repeat(" + 1", 100_000), "in a row"},
		"calls":          {"a" + strings.Repeat(".b", 100_000), "in a row"},
		"not":            {"a = " + strings.Repeat("!", 100_000) + "true", "levels deep"},
		"range":          {"(1..1_000_000).each { |i| x = i }", "more than 10000 elements"},
		"nested loops":   {"(1..1000).each { |i| (1..1000).each { |j| x = j } }", "more than 10000 times"},
		"times":          {"9_999_999.times { |i| }", "too often"},
		"endless":        {"while true do x = 1 end", "more than 10000 times"},
		"growing text":   {"s = 'x' * 1000\n30.times { s += s }", "too large"},
		"repeated text":  {"s = 'x' * 999_999_999_999", ""},
		"growing list":   {"a = [1]\n60.times { a = a + a }", "too large"},
		"list in itself": {"a = []\na << a\na == [a]\nx = a.flatten\ny = a.to_s", ""},
		"shared list":    {"a = [1]\n60.times { a = [a, a] }\nx = a.to_s\ny = a.flatten\nz = a == [a]", ""},
		"recursion":      {"def f(n) f(n + 1) end\nf(0)", "deep"},
		"lambda":         {"f = ->(n) { f.call(n) }\nf.call(1)", "deep"},
		"many machines":  {"Vagrant.configure('2') { |c| 5000.times { |i| c.vm.define \"m#{i}\" } }", "too many machines"},
		"many entries":   {"Vagrant.configure('2') { |c| 400.times { |i| c.vm.define \"m#{i}\"; c.vm.network 'private_network', name: \"n#{i}\" } }", "says too much"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Parse([]byte(c.src+"\n"+configure), Options{})
			if c.says == "" {
				return // it comes back
			}
			if !slices.ContainsFunc(p.Problems, func(p Problem) bool { return strings.Contains(p.Text, c.says) }) {
				t.Errorf("problems %v, want %q", p.Problems, c.says)
			}
		})
	}
}

// A value of which only a part is known is not known.
func TestUnknownSpreads(t *testing.T) {
	for _, x := range []string{"\"a#{ENV['X']}\"", "ENV['X'] + 'a'", "'a' + ENV['X']", "['a', ENV['X']].join", "[ENV['X']][0]", "{a: ENV['X']}[:a]",
		"format('%s', ENV['X'])", "'%s' % ENV['X']", "(ENV['X'] ? 'a' : 'b')", "ENV['X'].upcase", "[1].include?(ENV['X'])", "(1..ENV['X'].to_i).to_a.length",
		"!ENV['X']", "ENV['X'] == 'a'", "case ENV['X'] when 'a' then 1 else 2 end", "[3, 4].select { |i| ENV['X'] }.first", "ENV.to_h['X']", "-(ENV['X'].to_i)",
		"%w[a b][ENV['X'].to_i]", "(x = ENV['X']; x)", "foo.bar(1)", "/re/.match('re')", "`id`", "rand(5)", "Time.now", "$stdout", "self", "yield"} {
		p := Parse([]byte("# synthetic\nVagrant.configure('2') do |config|\n  config.vm.box = "+x+"\nend\n"), Options{})
		if box := p.Machines[0].Box; !box.Set || box.Value.IsKnown() || box.Line != 3 || len(p.Problems) > 0 {
			t.Errorf("%s: %+v, %v", x, box, p.Problems)
		}
	}
}

// Secrets of plugins' settings are not repeated.
func TestSecretsAreNotShown(t *testing.T) {
	p := Parse([]byte("# synthetic\nVagrant.configure('2') do |c|\n c.winrm.password = 'hunter2'\n c.vm.synced_folder '.', '/x', smb_password: 'hunter2'\nend\n"), Options{})
	out, err := json.Marshal(p)
	if err != nil || strings.Contains(string(out), "hunter2") || !strings.Contains(string(out), "winrm.password") {
		t.Errorf("%s, %v", out, err)
	}
}

// FuzzParse holds that any text comes back, the same each time, with places that are in it.
func FuzzParse(f *testing.F) {
	for _, path := range samples(f) {
		f.Add(string(read(f, path)))
	}
	f.Fuzz(func(t *testing.T, src string) {
		p := Parse([]byte(src), Options{})
		first, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		second, _ := json.Marshal(Parse([]byte(src), Options{}))
		if string(first) != string(second) {
			t.Error("read differently the second time")
		}
		lines := strings.Count(src, "\n") + 1
		for _, x := range p.Problems {
			if x.Line < 1 || x.Line > lines || x.Column < 1 || x.Text == "" {
				t.Errorf("%+v in %d lines", x, lines)
			}
		}
		for _, m := range p.Machines {
			if m.Box.Set && (m.Box.Line < 1 || m.Box.Line > lines) {
				t.Errorf("%+v in %d lines", m.Box, lines)
			}
		}
	})
}

// BenchmarkParse reads the largest of the samples.
func BenchmarkParse(b *testing.B) {
	src := read(b, "testdata/typical.Vagrantfile")
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		Parse(src, Options{})
	}
}

// BenchmarkParseLoops reads one that goes round often.
func BenchmarkParseLoops(b *testing.B) {
	src := []byte("Vagrant.configure('2') { |c| (1..200).each { |i| c.vm.define \"m#{i}\" do |m| m.vm.network 'forwarded_port', guest: i, host: 8000 + i end } }")
	for b.Loop() {
		Parse(src, Options{})
	}
}

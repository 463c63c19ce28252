package host

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// codeFolder is the folder that Vagrant's code lies in, which is named after its version.
var codeFolder = regexp.MustCompile(`^vagrant-(\d{1,4}\.\d{1,4}\.\d{1,4}[0-9a-z.]*?)(?:\.gemspec)?$`)

// vagrant finds the program and tells its version without running it: that alone would take a second or more.
func (ob *observer) vagrant(ctx context.Context) facts.Value[facts.Vagrant] {
	name := "vagrant"
	if ob.goos == "windows" {
		name = "vagrant.exe"
	}
	v := facts.Vagrant{}
	for _, dir := range ob.splitList(ob.Getenv("PATH")) {
		p := ob.join(dir, name)
		v.Searched = append(v.Searched, p)
		if ob.isProgram(p) {
			v.Path = p
			break
		}
	}
	v.Version, v.Installer = ob.vagrantVersion(v.Path)
	for _, tool := range []string{"bsdtar", "curl", "ssh"} {
		if ob.inPath(tool) == "" {
			v.Missing = append(v.Missing, tool)
		}
	}
	v.SSH = ob.inPath("ssh")
	v.Plink = ob.isPlink(ctx, v.SSH)
	return facts.Known(v)
}

// inPath finds a program of the host; empty when there is none.
func (ob *observer) inPath(name string) string {
	if ob.goos == "windows" {
		name += ".exe"
	}
	for _, dir := range ob.splitList(ob.Getenv("PATH")) {
		if p := ob.join(dir, name); ob.isProgram(p) {
			return p
		}
	}
	return ""
}

// isPlink tells PuTTY's client from OpenSSH's. Only on Windows is it found under that name, so only there it is asked.
func (ob *observer) isPlink(ctx context.Context, ssh string) bool {
	if ssh == "" || ob.goos != "windows" {
		return false
	}
	inner, cancel := context.WithTimeout(ctx, ob.Limit)
	defer cancel()
	out, err := ob.Exec(inner, ssh, "-V")
	text := out.Stdout + out.Stderr
	return err == nil && (strings.Contains(text, "PuTTY Link") || strings.Contains(text, "Plink: command-line connection utility"))
}

// vagrantVersion looks for the code of the program that was found first, and only then in the usual places: two
// installations may stand side by side.
func (ob *observer) vagrantVersion(program string) (number string, installer bool) {
	if program == "" {
		return "", false
	}
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		real = program
	}
	embedded := []string{filepath.Join(filepath.Dir(filepath.Dir(real)), "embedded")}
	switch ob.goos {
	case "windows":
		embedded = append(embedded, `C:\HashiCorp\Vagrant\embedded`, `C:\Program Files\Vagrant\embedded`)
	default:
		embedded = append(embedded, ob.at("/opt/vagrant/embedded"))
	}
	for _, dir := range embedded {
		if v := newest(filepath.Join(dir, "gems", "*", "gems", "vagrant-*"), filepath.Join(dir, "gems", "gems", "vagrant-*")); v != "" {
			return v, true
		}
	}
	return newest(ob.at("/usr/share/rubygems-integration/all/specifications/vagrant-*.gemspec"),
		ob.at("/usr/share/gems/gems/vagrant-*"), ob.at("/usr/lib/ruby/gems/*/gems/vagrant-*"), ob.at("/usr/lib64/ruby/gems/*/gems/vagrant-*")), false
}

// newest is the highest version among the folders that the patterns match; empty when none is Vagrant's.
func newest(patterns ...string) string {
	var found []*goversion.Version
	for _, p := range patterns {
		names, _ := filepath.Glob(p) // the patterns are well formed
		for _, n := range names {
			if m := codeFolder.FindStringSubmatch(filepath.Base(n)); m != nil {
				if v, err := goversion.NewVersion(m[1]); err == nil {
					found = append(found, v)
				}
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b *goversion.Version) int { return a.Compare(b) }).Original()
}

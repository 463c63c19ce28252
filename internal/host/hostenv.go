package host

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// env takes from the environment what Vagrant and its curl look at. Passwords in proxies never get further than here.
func (ob *observer) env(ctx context.Context) facts.Value[facts.Env] {
	e := facts.Env{
		Provider: clean(ob.Getenv("VAGRANT_DEFAULT_PROVIDER")), ServerURL: withoutUser(ob.Getenv("VAGRANT_SERVER_URL")),
		WSLAccess: clean(ob.Getenv("VAGRANT_WSL_ENABLE_WINDOWS_ACCESS")), WSLUserHome: clean(ob.Getenv("VAGRANT_WSL_WINDOWS_ACCESS_USER_HOME_PATH")),
		UserProfile: clean(ob.Getenv("USERPROFILE")), CI: ob.Getenv("CI") != "",
	}
	e.NoProxy = clean(ob.Getenv("NO_PROXY"))
	if e.NoProxy == "" {
		e.NoProxy = clean(ob.Getenv("no_proxy"))
	}
	for _, name := range []string{"CURL_CA_BUNDLE", "SSL_CERT_FILE"} {
		if path := ob.Getenv(name); path != "" {
			e.CABundle = append(e.CABundle, ob.caFile(name, path))
		}
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "VAGRANT_HTTP_PROXY"} {
		if p, ok := localProxy(ctx, name, ob.Getenv(name)); ok {
			e.Proxies = append(e.Proxies, p)
		}
	}
	return facts.Known(e)
}

// caFile: Vagrant's curl on Windows is a native program, to which a path of Git Bash means nothing.
func (ob *observer) caFile(variable, path string) facts.CAFile {
	f := facts.CAFile{Variable: variable, Path: clean(path)}
	if ob.goos == "windows" && strings.HasPrefix(path, "/") {
		f.Problem = "a native program cannot open a path of a POSIX shell"
		return f
	}
	data, err := readBounded(path, 64<<20)
	switch {
	case err != nil:
		f.Problem = err.Error()
	case !strings.Contains(string(data), "BEGIN CERTIFICATE") && !strings.Contains(string(data), "BEGIN TRUSTED CERTIFICATE"):
		f.Problem = "it holds no certificate in PEM form"
	}
	return f
}

// withoutUser is a URL without name and password.
func withoutUser(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return clean(s)
	}
	u.User = nil
	return clean(u.String())
}

// localProxy looks whether a proxy on this host answers. Others are not asked: a check talks to nobody else.
func localProxy(ctx context.Context, name, value string) (facts.Proxy, bool) {
	if value != "" && !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || !loopback(u.Hostname()) {
		return facts.Proxy{}, false
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	p := facts.Proxy{Variable: name, Address: net.JoinHostPort(u.Hostname(), port)}
	d := net.Dialer{Timeout: 10 * connectLimit}
	if c, err := d.DialContext(ctx, "tcp", p.Address); err == nil {
		_ = c.Close()
		p.Answers = true
	}
	return p, true
}

// disk is the free space where boxes are unpacked and where VMs are made.
func (ob *observer) disk() facts.Value[facts.Disk] {
	d := facts.Disk{VagrantHome: folderSpace(ob.vagrantHome())}
	p, err := ob.facts.Preflight.Lists.Properties.Get()
	if err == nil {
		d.Machines = folderSpace(p.MachineFolder)
	}
	return facts.Known(d)
}

// folderSpace looks at a folder, or at the nearest one above it that exists.
func folderSpace(path string) facts.FolderSpace {
	s := facts.FolderSpace{Path: path, FreeMB: -1}
	dir := existing(path)
	if dir == "" {
		return s
	}
	if free, ok := freeMB(dir); ok {
		s.FreeMB = free
	}
	s.Denied = denied(dir)
	return s
}

func existing(path string) string {
	for range maxDepth {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			return ""
		}
		path = parent
	}
	return ""
}

package host

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// harmless checks what every value that reaches a person owes: valid, and without escapes.
func harmless(t *testing.T, values ...string) {
	t.Helper()
	for _, v := range values {
		if !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			t.Errorf("value %q is not clean", v)
		}
	}
}

func FuzzParseVMInfo(f *testing.F) {
	f.Add(section(f, infoTitle))
	f.Add("nic1=\"nat\"\nForwarding(0)=\"ssh,tcp,127.0.0.1,2222,,22\"\n\"a\"=\"b\"c")
	f.Fuzz(func(t *testing.T, s string) {
		vm := parseVMInfo(s)
		harmless(t, vm.Name, vm.UUID, vm.State, vm.CfgFile, vm.AdditionsVersion)
		for _, x := range vm.Forwards {
			harmless(t, x.Name, x.HostIP, x.GuestIP)
			if x.HostPort < 1 || x.HostPort > 65535 || x.GuestPort < 1 || x.GuestPort > 65535 {
				t.Errorf("port of %+v", x)
			}
		}
		for _, x := range vm.Shares {
			harmless(t, x.Name, x.HostPath)
		}
		sshForward(vm.Forwards)
	})
}

func FuzzParseVBox(f *testing.F) {
	f.Add(section(f, ".vbox"))
	f.Fuzz(func(t *testing.T, s string) {
		vm, err := parseVBox([]byte(s))
		if err == nil && vm.UUID == "" && vm.Name == "" && len(vm.Forwards) > 0 {
			t.Errorf("%+v", vm)
		}
		harmless(t, vm.Name, vm.UUID)
		_, _ = parseRegistry([]byte(s))
	})
}

func FuzzLists(f *testing.F) {
	f.Add(`"a" {54017b76-d33c-4206-98f6-9325cde08e48}`)
	f.Add("WARNING: x\n7.2.22_Debianr175245\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, vm := range parseList(s) {
			harmless(t, vm.Name)
			if !uuidForm.MatchString(vm.UUID) && len(vm.UUID) != 36 {
				t.Errorf("%+v", vm)
			}
		}
		harmless(t, additionsISO(s), strings.ReplaceAll(shorten(s), "\n", ""))
		number, warning := splitVersion(s)
		harmless(t, number, strings.ReplaceAll(warning, "\n", ""))
	})
}

func FuzzParseFolders(f *testing.F) {
	f.Add(`{"virtualbox":{"/home/rc/":{"guestpath":"/home/rc","hostpath":"/p","mount_options":["ro"]}}}`)
	f.Fuzz(func(t *testing.T, s string) {
		all, err := parseFolders([]byte(s))
		for _, x := range all {
			harmless(t, x.Name, x.HostPath, x.GuestPath, x.Owner, x.Group, strings.Join(x.Options, " "))
			if err != nil || x.GuestPath == "" {
				t.Errorf("%+v, %v", x, err)
			}
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"vagrant@[::1]:22", "host", "a@b@c:1", "fe80::1%eth0", "[fe80::1%eth0]:22"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, host, port, err := parseTarget(s)
		if err == nil && (host == "" || host[0] == '-' || port < 1 || port > 65535) {
			t.Errorf("%q: %q %d", s, host, port)
		}
	})
}

func FuzzSSHConfig(f *testing.F) {
	f.Add(vagrantConfig)
	f.Add("Match host a,b\n User=\"x y\" #c\nHost *\tz !y\nInclude x\nIdentityFile \"a#b\"")
	f.Fuzz(func(t *testing.T, s string) {
		dir := t.TempDir()
		path := dir + "/ssh.cfg"
		writeFile(t, path, strings.ReplaceAll(s, "/", "_")) // Include must not leave the folder
		c, err := readSSHConfig(path, dir)
		if err != nil {
			return
		}
		ob := newObserver(Options{HomeDir: dir})
		for _, h := range c.hosts[:min(len(c.hosts), 5)] {
			config, err := ob.configuredSSH(c, h, "")
			if err == nil && (!hostForm(config.Host) || config.Port < 1 || config.NoHostKeyFile && !loopback(config.Host)) {
				t.Errorf("%q: %+v", s, config)
			}
		}
	})
}

func FuzzISO(f *testing.F) {
	image := tinyISO(f, "VBOXADDITIONS_7.0.20_163906", installerHead)
	f.Add(image[15*2048 : 24*2048])
	f.Fuzz(func(t *testing.T, middle []byte) {
		data := append(make([]byte, 15*2048), middle...)
		iso, err := isoInstaller(strings.NewReader(string(data)), int64(len(data)))
		if err != nil && iso.Version != "" || iso.InstallerAt < 0 || iso.InstallerAt+iso.InstallerSize > int64(len(data)) {
			t.Errorf("%+v, %v", iso, err)
		}
	})
}

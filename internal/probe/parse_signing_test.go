package probe

import (
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestMachineOwnersKey(t *testing.T) {
	for text, want := range map[string]facts.MOK{
		"=efi yes\n": {},
		"=efi yes\n=mokkey yes\n=moktest 1\n| MOK.der is already enrolled\n=signtool /usr/bin/kmodsign\n=policy yes\n": {Key: true, Enrolled: facts.MOKEnrolled, SignTool: "/usr/bin/kmodsign", Policy: true},
		"=mokkey yes\n=moktest 0\n| /var/lib/shim-signed/mok/MOK.der is not enrolled\n":                                {Key: true, Enrolled: facts.MOKMissing},
		"=mokkey yes\n=moktest 1\n| MOK.der is already in the enrollment request\n":                                    {Key: true, Enrolled: facts.MOKPending},
		"=mokkey yes\n=moktest 255\n| EFI variables are not supported on this system\n":                                {Key: true},
	} {
		s, err := parseSecurity(parseBody([]byte(text)))
		if err != nil || s.MOK != want {
			t.Errorf("%q: %+v %v, want %+v", text, s.MOK, err, want)
		}
	}
}

func TestHelperLabel(t *testing.T) {
	for text, want := range map[string]string{
		"system_u:object_r:mount_exec_t:s0 /opt/x/other/mount.vboxsf":                                "mount_exec_t",
		"-rwxr-xr-x. root root unconfined_u:object_r:usr_t:s0 /opt/x/lib/mount.vboxsf":               "usr_t",
		"? /opt/x/other/mount.vboxsf":                                                                "",
		"ls: cannot access '/opt/x': Permission denied":                                              "",
		"-rwxr-xr-x. 1 root root system_u:object_r:bin_t:s0:c1,c2 12 Jan 1 00:00 /sbin/mount.vboxsf": "bin_t",
	} {
		s, err := parseSecurity(parseBody([]byte("=enforce 1\n=label 0\n| " + text + "\n")))
		if err != nil || s.HelperType != want {
			t.Errorf("%q: %q %v, want %q", text, s.HelperType, err, want)
		}
	}
}

func TestSUSEFiles(t *testing.T) {
	s, err := parseSecurity(parseBody([]byte("=unsupported allow_unsupported_modules 0\n=file 644 28 1 /etc/modprobe.d/10-unsupported-modules.conf\n| allow_unsupported_modules 0\n")))
	if err != nil || !s.UnsupportedBlocked || len(s.UnsupportedFiles) != 1 || !strings.HasPrefix(s.UnsupportedFiles[0].Content, "allow_unsupported_modules 0") {
		t.Errorf("%+v %v", s, err)
	}
}

func TestModuleUsers(t *testing.T) {
	text := "=module vboxguest\n=signer box key\n=open 0\n| 812|VBoxService|/dev/vboxguest\n| 4711|bash|/vagrant/src\n| 4711|bash|/vagrant\n| 12|odd | name|/vagrant/a|b\n| x|y|/z\n| nonsense\n"
	for i := range 40 {
		text += "| " + strings.Repeat("9", 2+i%3) + "|many|/vagrant\n"
	}
	m, err := parseModules(parseBody([]byte(text)))
	if err != nil || m.Guest.Signer != "box key" {
		t.Fatal(m, err)
	}
	want := facts.ModuleUser{PID: 4711, Name: "bash", Path: "/vagrant/src"}
	if len(m.Users) == 0 || m.Users[0] != want || len(m.Users) > maxUsers || slices.ContainsFunc(m.Users, func(u facts.ModuleUser) bool { return u.Name == "VBoxService" || u.PID == 0 }) {
		t.Errorf("%+v", m.Users)
	}
}

func TestCompilers(t *testing.T) {
	tools, err := parseTools(parseBody([]byte("=tool gcc /usr/bin/gcc\n=compiler /usr/bin/gcc-12\n=compiler /opt/rh/gcc-toolset-11/root/usr/bin/gcc\n=compiler /usr/bin/clang\n=compiler /usr/bin/ld.lld\n" +
		"=compiler /usr/bin/gcc-ranlib-12\n=compiler /opt/rh/devtoolset-9/root/usr/bin/gcc\n=compiler /usr/bin/gcc-12\n=pluginheaders yes\n=needsplugins yes\n")))
	if got := strings.Join(tools.Compilers, " "); err != nil || got != "clang devtoolset-9 gcc-12 gcc-toolset-11 ld.lld" || !tools.PluginHeaders || !tools.NeedsPlugins {
		t.Errorf("%+v %v", tools, err)
	}
}

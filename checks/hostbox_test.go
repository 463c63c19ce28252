package checks

import "github.com/boxdoctor/boxdoctor/internal/facts"

var _ = hostRows("box.old_server", linuxHost,
	fail("the variable", "unset VAGRANT_SERVER_URL", linuxHost, inEnv(func(e *facts.Env) { e.ServerURL = "https://atlas.hashicorp.com" })),
	warn("an installed box", "box.old_server", linuxHost, inHome(func(h *facts.VagrantHome) { h.Boxes[0].MetadataURL = "https://atlas.hashicorp.com/bento/centos-7" })),
)

func download(d facts.Download) func(*facts.Facts) {
	d.Path = "/home/me/.vagrant.d/tmp/box0123456789abcdef0123456789abcdef01234567"
	return inHome(func(h *facts.VagrantHome) { h.Partial = []facts.Download{d} })
}

var _ = hostRows("box.html_not_json", linuxHost, fail("a login page", "not a box", linuxHost, download(facts.Download{HTML: true})))

// Founding row: a box download hangs.
var _ = hostRows("box.download_locked", linuxHost,
	fail("hangs", "no byte for 30 minutes", linuxHost, download(facts.Download{Held: true, AgeMinutes: 30})),
	warn("another vagrant downloads", "5 MB so far", linuxHost, download(facts.Download{Held: true, Size: 5 << 20})),
	pass("nobody holds it", linuxHost, download(facts.Download{})),
)

var _ = hostRows("box.download_slow", linuxHost, warn("cut off", "after 300 MB", linuxHost, download(facts.Download{Size: 300 << 20, AgeMinutes: 5})))

var _ = hostRows("box.corrupt", linuxHost,
	fail("the project's", "which this project uses", linuxHost, inHome(func(h *facts.VagrantHome) { h.Boxes[0].Damage = "box.ovf is missing" })),
	warn("another", "vagrant box remove", linuxHost, inHome(func(h *facts.VagrantHome) { h.Boxes[0].Name, h.Boxes[0].Damage = "other/box", "box.ovf is missing" })),
)

func freeMB(machines int) func(*facts.Facts) {
	return inDisk(func(d *facts.Disk) { d.Machines.FreeMB = machines })
}

var _ = hostRows("disk.full", linuxHost,
	fail("full", "100 MB are free", linuxHost, freeMB(100)),
	warn("nearly", "only 400 MB", linuxHost, freeMB(400)),
	fail("old unpacked boxes can go", "take 900 MB", linuxHost, allOf(freeMB(100), inHome(func(h *facts.VagrantHome) {
		h.OldTemp, h.OldTempMB = []string{"/home/me/.vagrant.d/tmp/vagrant-box-add-temp-x"}, 900
	}))),
	warn("the box is still to come", "2000 MB are free", linuxHost, allOf(inHome(func(h *facts.VagrantHome) { h.Boxes = nil }), inDisk(func(d *facts.Disk) { d.VagrantHome.FreeMB = 2000 }))),
	unknown("not told", linuxHost, freeMB(-1)),
)

var _ = hostRows("tls.ca", linuxHost,
	fail("a path of Git Bash", "POSIX shell", linuxHost, inEnv(func(e *facts.Env) {
		e.CABundle = []facts.CAFile{{Variable: "CURL_CA_BUNDLE", Path: "/mingw64/ssl/certs/ca-bundle.crt", Problem: "a native program cannot open a path of a POSIX shell"}}
	})),
	warn("the variable that does not help", "SSL_CERT_FILE is set", linuxHost, inEnv(func(e *facts.Env) { e.CABundle = []facts.CAFile{{Variable: "SSL_CERT_FILE", Path: "/x"}} })),
)

var behindProxy = inEnv(func(e *facts.Env) {
	e.Proxies = []facts.Proxy{{Variable: "HTTPS_PROXY", Address: "127.0.0.1:3128", Answers: true}}
})

var _ = hostRows("tls.revocation_win", windowsHost,
	warn("behind a proxy", "2.4.0", windowsHost, allOf(behindProxy, versionsOf("7.0.20r163906", "2.3.7"))),
	pass("without one", windowsHost, versionsOf("7.0.20r163906", "2.3.7")),
)

var _ = hostRows("proxy.local_down", linuxHost,
	fail("a dead cntlm", "127.0.0.1:3128", linuxHost, inEnv(func(e *facts.Env) { e.Proxies = []facts.Proxy{{Variable: "HTTPS_PROXY", Address: "127.0.0.1:3128"}} })),
	pass("it answers", linuxHost, behindProxy),
)

package fixes

import (
	_ "embed" // the scripts
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/sign_modules.sh
var signModules string

//go:embed scripts/set_clock.sh
var setClock string

var _ = register(Fix{
	ID: "secureboot.sign", Title: "Sign the modules with the machine owner's key", Impact: Harmless,
	Clears: []string{"secureboot.signed"},
	After:  []string{"additions.install", "additions.rebuild", "additions.next_kernel", "kernel.devel", "kernel.reboot"},
	Rows:   []string{"M1", "M2"},
	Why: "The key lies in /var/lib/shim-signed/mok, where the Guest Additions' own script looks for it; it is made there when there is none, readable by " +
		"root only. Signing changes nothing before you enrol that key at the VM's console: `sudo mokutil --import /var/lib/shim-signed/mok/MOK.der`, restart, " +
		"Enroll MOK. Secure Boot is never switched off.",
	Plan: planSign,
})

func planSign(in Input) ([]action.Action, error) {
	s, err := in.Facts.Guest.Security.Get()
	if err != nil {
		return nil, err
	}
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return nil, err
	}
	m := in.Facts.Guest.Modules.Or(facts.Modules{})
	switch {
	case m.Guest.File == "" && !in.Hopeful, m.Guest.Signer != "" && m.SF.Signer != "":
		return nil, nil
	case s.MOK.SignTool == "" && !in.Hopeful:
		return nil, fmt.Errorf("nothing in the guest can sign modules: /lib/modules/%s/build/scripts/sign-file comes with kernel-devel (linux-headers), kmodsign with sbsigntool", k.Running)
	}
	tool := s.MOK.SignTool
	if tool == "" {
		tool = "/lib/modules/" + k.Running + "/build/scripts/sign-file"
	}
	undo := "nothing to undo: a signature that no key backs changes nothing"
	if !s.MOK.Key {
		undo = "sudo rm /var/lib/shim-signed/mok/MOK.priv /var/lib/shim-signed/mok/MOK.der"
	}
	return []action.Action{action.Job{Name: "sign the modules of " + k.Running, Lib: lib, Script: signModules, Args: []string{k.Running, tool},
		Timeout: 2 * time.Minute, Undo: undo}}, nil
}

var _ = register(Fix{
	ID: "secureboot.unsupported", Title: "Let SUSE load modules that it does not support", Impact: RestartsService,
	Clears: []string{"secureboot.unsupported_modules"},
	After:  []string{"additions.install", "additions.rebuild"},
	Rows:   []string{"M3"},
	Why: "allow_unsupported_modules 1 in /etc/modprobe.d/10-unsupported-modules.conf, as SUSE's own message says, then the modules are loaded. It is a mark of " +
		"support, no protection; SUSE may ask you to reproduce a kernel problem without such modules.",
	Plan: planUnsupported,
})

const unsupportedFile = "/etc/modprobe.d/10-unsupported-modules.conf"

// refused is the line that forbids.
var refused = regexp.MustCompile(`(?m)^([ \t]*allow_unsupported_modules[ \t]+)0\b`)

func planUnsupported(in Input) ([]action.Action, error) {
	s, err := in.Facts.Guest.Security.Get()
	if err != nil || !s.UnsupportedBlocked {
		return nil, err
	}
	var out []action.Action
	for _, file := range s.UnsupportedFiles {
		if refused.MatchString(file.Content) {
			out = append(out, replaceFile(in, file, refused.ReplaceAllString(file.Content, "${1}1")))
		}
	}
	if len(out) == 0 { // the file below /lib/modprobe.d gives way to one of its name in /etc
		for _, file := range s.UnsupportedFiles {
			if file.Path == unsupportedFile {
				return nil, errors.New(unsupportedFile + " does not forbid unsupported modules and yet modprobe -c says so: look at it, and at modprobe -c | grep allow_unsupported")
			}
		}
		out = append(out, action.PutFile{Path: unsupportedFile, Mode: 0o644, Content: "# boxdoctor: VirtualBox's Guest Additions are not supported by SUSE\nallow_unsupported_modules 1\n"})
	}
	load, err := planLoad(in)
	return append(out, load...), err
}

var _ = register(Fix{
	ID: "mount.label", Title: "Label the mount helper for SELinux", Impact: Harmless,
	Clears: []string{"mount.label"},
	After:  []string{"additions.install", "additions.rebuild", "mount.helper"},
	Rows:   []string{"M9"},
	Why:    "mount_exec_t, as the installer does: remembered by semanage where that is, else set by chcon until the next relabel.",
	Plan:   planLabel,
})

const labelScript = `file=$1
if command -v semanage >/dev/null 2>&1; then
	semanage fcontext -a -t mount_exec_t "$file" 2>/dev/null || run semanage fcontext -m -t mount_exec_t "$file"
	run restorecon "$file"
else
	run chcon -t mount_exec_t "$file"
fi
ls -Z "$file"
`

func planLabel(in Input) ([]action.Action, error) {
	s, err := in.Facts.Guest.Security.Get()
	if err != nil {
		return nil, err
	}
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil || ga.Helper.Resolved == "" || s.HelperType == "" || s.HelperType == "mount_exec_t" {
		return nil, err
	}
	return []action.Action{action.Job{Name: "label the mount helper", Lib: lib, Script: labelScript, Args: []string{ga.Helper.Resolved}, Timeout: 2 * time.Minute,
		Undo: "sudo chcon -t " + shell.Join([]string{s.HelperType, ga.Helper.Resolved})}}, nil
}

var _ = register(Fix{
	ID: "clock.set", Title: "Set the guest's clock", Impact: Harmless,
	Clears: []string{"clock.skew"},
	Rows:   []string{"T7"},
	Why: "By the guest's chrony where it runs, else by the difference to this host's clock that was measured. It comes before everything that builds or " +
		"fetches: make and TLS believe the clock.",
	Plan: planClock,
})

func planClock(in Input) ([]action.Action, error) {
	c, err := in.Facts.Guest.Clock.Get()
	if err != nil {
		return nil, err
	}
	if c.Skew.Abs() <= 30*time.Second+c.Slack {
		return nil, nil
	}
	return []action.Action{action.Job{Name: "set the clock", Lib: lib, Script: setClock, Args: []string{strconv.Itoa(int(c.Skew.Round(time.Second).Seconds()))},
		Timeout: time.Minute, Undo: "nothing to undo: time goes on"}}, nil
}

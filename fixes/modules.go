package fixes

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Fix{
	ID: "modules.reload", Title: "Load the new modules in place of the old ones", Impact: Reboots,
	Clears: []string{"modules.version"},
	After:  []string{"additions.install", "additions.rebuild"},
	Rows:   []string{"M4", "M5", "S14"},
	Why:    "rcvboxadd reload (7.0 and later) does it without a restart where nothing holds the old modules; else the guest is restarted.",
	Plan:   planReload,
})

func planReload(in Input) ([]action.Action, error) {
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil {
		return nil, err
	}
	if v, err := assess.InstalledVersion(in.Facts); err == nil && ga.Setup != "" && v.Major() >= 7 && !held(in) {
		return []action.Action{action.Job{Name: "reload the Guest Additions' modules", Lib: lib, Script: "run " + shell.Quote(ga.Setup) + " reload\n",
			Timeout: 10 * time.Minute, Judge: true, Stays: "the modules in memory are those of the installed Guest Additions"}}, nil
	}
	if in.NoReboot {
		return notReloaded(in)
	}
	return []action.Action{action.Reboot{}}, nil
}

// notReloaded: who holds the modules is told, because a person can end that and a reload then works.
func notReloaded(in Input) ([]action.Action, error) {
	holders := assess.Holders(in.Facts.Guest.Modules.Or(facts.Modules{}))
	if len(holders) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("the old modules stay in memory as long as they are in use: %s. End that and run boxdoctor fix again, or run it without --no-reboot", strings.Join(holders, ", "))
}

// held tells whether something besides VBoxService, which a reload stops, keeps the modules in memory (row M4).
func held(in Input) bool {
	return len(assess.Holders(in.Facts.Guest.Modules.Or(facts.Modules{}))) > 0
}

var _ = register(Fix{
	ID: "modules.load", Title: "Load vboxguest and vboxsf", Impact: RestartsService,
	Clears: []string{"modules.loaded"},
	After:  []string{"additions.install", "additions.rebuild", "modules.reload", "secureboot.sign", "secureboot.unsupported"},
	Rows:   []string{"M7", "M8"},
	Why:    "The modules are built and not in memory; vboxsf also goes into /etc/modules-load.d where the guest has it, because some images load only vboxguest.",
	Plan:   planLoad,
})

const loadScript = `run modprobe vboxguest
run modprobe vboxsf
if [ -d /etc/modules-load.d ] && [ ! -e /etc/modules-load.d/vboxsf.conf ]; then
	echo vboxsf >/etc/modules-load.d/vboxsf.conf
fi
`

func planLoad(in Input) ([]action.Action, error) {
	tree, err := assess.RunningTree(in.Facts)
	if err != nil {
		return nil, err
	}
	_, guest := assess.HasModule(tree, "vboxguest")
	_, sf := assess.HasModule(tree, "vboxsf")
	if !guest || !sf {
		return nil, nil
	}
	if sys, err := in.Facts.Guest.System.Get(); err == nil && !sys.PCIDevice {
		return nil, errors.New("vboxguest loads only where VirtualBox's device is (PCI 80ee:cafe), and this machine has none: run the guest in VirtualBox (modules.device)")
	}
	if err := refusedBySecureBoot(in); err != nil {
		return nil, err
	}
	return []action.Action{action.Job{Name: "load the modules", Lib: lib, Script: loadScript, Timeout: time.Minute,
		Undo: "sudo rm -f /etc/modules-load.d/vboxsf.conf", Changed: action.Names("/etc/modules-load.d/vboxsf.conf"),
		Stays: "vboxguest and vboxsf stay in memory until the next restart"}}, nil
}

// refusedBySecureBoot: no modprobe helps before the modules are signed with a key that the firmware knows.
func refusedBySecureBoot(in Input) error {
	s, m := in.Facts.Guest.Security.Or(facts.Security{}), in.Facts.Guest.Modules.Or(facts.Modules{})
	unknownKey := s.MOK.Key && (s.MOK.Enrolled == facts.MOKMissing || s.MOK.Enrolled == facts.MOKPending)
	if s.SecureBoot != "enabled" || (m.Guest.Signer != "" && !unknownKey) {
		return nil
	}
	return errors.New("Secure Boot refuses the modules until they are signed and the key is enrolled at the VM's console; secureboot.modules has the steps")
}

var _ = register(Fix{
	ID: "additions.services", Title: "Start the Guest Additions' services", Impact: RestartsService,
	Clears: []string{"additions.services"},
	After:  []string{"additions.install", "additions.rebuild", "modules.load", "modules.reload"},
	Rows:   []string{"M6", "M10", "H6"},
	Why:    "VBoxService reports the Guest Additions to the host and keeps the clock.",
	Plan:   planServices,
})

// servicesScript knows Oracle's units, Debian's and Arch's.
const servicesScript = `for unit in vboxadd vboxadd-service virtualbox-guest-utils vboxservice; do
	if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
		if systemctl cat "$unit.service" >/dev/null 2>&1; then
			run systemctl restart "$unit.service"
		fi
	elif [ -x "/etc/init.d/$unit" ]; then
		run "/etc/init.d/$unit" start
	fi
done
`

func planServices(in Input) ([]action.Action, error) {
	s, err := in.Facts.Guest.Services.Get()
	if err != nil || s.VBoxServiceRuns {
		return nil, err
	}
	m := in.Facts.Guest.Modules.Or(facts.Modules{})
	for _, u := range s.Units {
		if u.Exists && m.Guest.Loaded {
			return []action.Action{action.Job{Name: "start the Guest Additions' services", Lib: lib, Script: servicesScript, Timeout: 6 * time.Minute,
				Undo: "sudo systemctl stop vboxadd-service"}}, nil
		}
	}
	return nil, nil
}

package fixes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func mode(m int) os.FileMode { return os.FileMode(m & 0o777) } //nolint:gosec // nine bits

var _ = register(Fix{
	ID: "host.ports", Title: "Forward a free port in the Vagrantfile", Impact: ChangesHost,
	Clears: []string{"port.collision", "port.reserved_win"},
	Rows:   []string{"port.collision", "port.reserved_win"},
	Why: "A port of this host that is taken, or reserved by Windows, is replaced by a free one nearby in the line of the Vagrantfile that names it as a plain number. " +
		"Whoever used the old number has to know the new one. What else uses the port is not ended.",
	Plan: planPorts,
})

func planPorts(in Input) ([]action.Action, error) {
	all, err := in.Facts.Host.Preflight.Ports.Get()
	p, perr := in.Facts.Host.Preflight.Project.Get()
	if err = errors.Join(err, perr); err != nil {
		return nil, err
	}
	text := p.File.Content
	for _, port := range all {
		if !assess.PortCollides(port) && port.State != facts.PortDenied || port.Port <= 1024 {
			continue
		}
		if text, err = otherPort(text, port); err != nil {
			return nil, err
		}
	}
	switch {
	case text == p.File.Content:
		return nil, nil
	case p.File.Path == "":
		return nil, fmt.Errorf("%s %w", p.Vagrantfile, errLink)
	}
	return []action.Action{in.rewrite(p.Root, p.File, text)}, nil
}

// callLines is how many lines a call of forwarded_port may have.
const callLines = 8

// otherPort puts the free port in the place of the taken one.
func otherPort(text string, p facts.Port) (string, error) {
	switch {
	case p.Free == 0:
		return "", fmt.Errorf("no port near %d is free: end what uses it, or choose one yourself", p.Port)
	case p.Line == 0:
		return "", fmt.Errorf(`port %d is Vagrant's own choice; add to the Vagrantfile: config.vm.network "forwarded_port", id: %q, guest: %d, host: %d`, p.Port, p.ID, p.Guest, p.Free)
	}
	number := regexp.MustCompile(`((?:\bhost:|:host\s*=>|["']host["']\s*=>)\s*)` + strconv.Itoa(p.Port) + `\b`)
	lines := strings.SplitAfter(text, "\n")
	for i := p.Line - 1; i >= 0 && i < min(len(lines), p.Line-1+callLines); i++ {
		if i >= p.Line && strings.Contains(lines[i], "forwarded_port") {
			break
		}
		code, _, _ := strings.Cut(lines[i], "#")
		if len(number.FindAllString(code, 2)) == 1 {
			lines[i] = number.ReplaceAllString(code, "${1}"+strconv.Itoa(p.Free)) + lines[i][len(code):]
			return strings.Join(lines, ""), nil
		}
	}
	return "", fmt.Errorf("the Vagrantfile does not name port %d as a plain number at line %d: make it host: %d yourself", p.Port, p.Line, p.Free)
}

var _ = register(Fix{
	ID: "host.leftovers", Title: "Move an old VM's folder aside", Impact: ChangesHost,
	Clears: []string{"vm.leftover_folder"},
	Rows:   []string{"vm.leftover_folder"},
	Why:    "VirtualBox does not overwrite the folder of a destroyed VM of the same name. The folder gets another name beside it; nothing in it is touched or deleted.",
	Plan: func(in Input) ([]action.Action, error) {
		p, err := in.Facts.Host.Preflight.Project.Get()
		if err != nil {
			return nil, err
		}
		var out []action.Action
		for _, folder := range p.Leftovers {
			name := filepath.Base(folder)
			out = append(out, action.HostMove{Folder: filepath.Dir(folder), From: name, To: name + in.aside()})
		}
		return out, nil
	},
})

// aside is what is put behind the name of what is moved out of the way.
func (in Input) aside() string { return ".boxdoctor-" + in.RunID[:min(8, len(in.RunID))] }

var _ = register(Fix{
	ID: "host.downloads", Title: "Move a web page aside that was saved in place of a box", Impact: Harmless,
	Clears: []string{"box.html_not_json"},
	Rows:   []string{"box.html_not_json"},
	Why:    "Vagrant goes on with a download where it was cut off, so a login page at its beginning never becomes a box. Moved aside, the download begins anew.",
	Plan: func(in Input) ([]action.Action, error) {
		h, err := in.Facts.Host.Preflight.Home.Get()
		if err != nil {
			return nil, err
		}
		var out []action.Action
		for _, d := range h.Partial {
			if d.HTML && !d.Held {
				name := filepath.Base(d.Path)
				out = append(out, action.HostMove{Folder: filepath.Dir(d.Path), From: name, To: "old-" + name + in.aside()})
			}
		}
		return out, nil
	},
})

var _ = register(Fix{
	ID: "host.metadata_url", Title: "Look for updates of boxes where they are now", Impact: Harmless,
	Clears: []string{"box.old_server"},
	Rows:   []string{"box.old_server"},
	Why:    "The address that is kept beside an installed box names a server that was switched off in 2018; the catalogue went on under another name.",
	Plan: func(in Input) ([]action.Action, error) {
		h, err := in.Facts.Host.Preflight.Home.Get()
		if err != nil {
			return nil, err
		}
		var out []action.Action
		seen := map[string]bool{}
		for _, b := range h.Boxes {
			was := b.Metadata.Content
			now := strings.Replace(was, "://atlas.hashicorp.com/", "://vagrantcloud.com/", 1)
			if now == was || seen[b.Metadata.Path] {
				continue
			}
			seen[b.Metadata.Path] = true
			out = append(out, in.rewrite(h.Path, b.Metadata, now))
		}
		return out, nil
	},
})

var _ = register(Fix{
	ID: "host.dhcp", Title: "Remove a DHCP server of VirtualBox that is in Vagrant's way", Impact: ChangesHost,
	Clears: []string{"net.dhcp_conflict"},
	Rows:   []string{"net.dhcp_conflict"},
	Why:    "Vagrant makes its own DHCP server for a private network and refuses to start beside another one. Undo makes the old one again.",
	Plan: func(in Input) ([]action.Action, error) {
		w, err := in.Facts.Host.Preflight.Wanted.Get()
		servers, serr := in.Facts.Host.Preflight.Lists.DHCP.Get()
		if err = errors.Join(err, serr); err != nil {
			return nil, err
		}
		var out []action.Action
		for _, d := range assess.DHCPInTheWay(w, servers) {
			was := action.DHCPState(d)
			out = append(out, action.Manage{Name: "remove the DHCP server of " + d.Network,
				Args: []string{"dhcpserver", "remove", "--netname", d.Network}, Back: action.AddDHCP(d.Network, was),
				Change: action.Change{Kind: action.KindDHCP, Path: d.Network, Was: was, Left: action.StateAbsent}})
		}
		return out, nil
	},
})

var _ = register(Fix{
	ID: "host.networks_conf", Title: "Allow the project's addresses in VirtualBox's networks.conf", Impact: ChangesHost,
	Clears: []string{"net.hostonly_range", "net.networks_conf_malformed"},
	Rows:   []string{"net.hostonly_range", "net.networks_conf_malformed"},
	Why: "VirtualBox reads the allowed ranges of host-only networks from a file of root's. Where boxdoctor runs as root it writes that file; otherwise it prints the " +
		"command. The other way is an address from 192.168.56.0/21 in the Vagrantfile, which is yours to choose.",
	Plan: planNetworksConf,
})

func planNetworksConf(in Input) ([]action.Action, error) {
	pre := in.Facts.Host.Preflight
	c, err := pre.Lists.NetworksConf.Get()
	sys, serr := pre.System.Get()
	if err = errors.Join(err, serr); err != nil {
		return nil, err
	}
	bad, err := assess.OutsideRanges(pre.Wanted.Or(facts.Wanted{}), c)
	text := assess.NetworksConfText(c, bad)
	switch {
	case c.File.Path == "" || len(bad) == 0 && !c.Exists || text == c.File.Content:
		return nil, err
	case sys.UID != 0:
		return nil, fmt.Errorf("%s is root's, and boxdoctor takes no more rights than it was given: the finding shows the command", c.File.Path)
	}
	dir := filepath.Dir(c.File.Path)
	if !c.Exists {
		return []action.Action{action.HostFile{Folder: filepath.Dir(dir), Name: filepath.Base(dir) + "/networks.conf", New: true, Content: text, Mode: 0o644}}, nil
	}
	return []action.Action{in.rewrite(dir, c.File, text)}, nil
}

package host

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// maxXML bounds VirtualBox's settings files; a VM with many snapshots stays far below.
const maxXML = 32 << 20

// machineXML is the part of a .vbox file that is read. Snapshots hold a Hardware of their own further down
// and are not looked at.
type machineXML struct {
	Machine struct {
		UUID     string       `xml:"uuid,attr"`
		Name     string       `xml:"name,attr"`
		Adapters []adapterXML `xml:"Hardware>Network>Adapter"`
		Shares   []shareXML   `xml:"Hardware>SharedFolders>SharedFolder"`
		Extra    []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:"value,attr"`
		} `xml:"ExtraData>ExtraDataItem"`
	} `xml:"Machine"`
}

// symlinkKey is what the extra data of a VM calls the permission to make symbolic links in a share.
const symlinkKey = "VBoxInternal2/SharedFoldersEnableSymlinksCreate/"

type adapterXML struct {
	Slot     int    `xml:"slot,attr"`
	Enabled  string `xml:"enabled,attr"`
	Forwards []struct {
		Name      string `xml:"name,attr"`
		Proto     string `xml:"proto,attr"` // 0 udp, 1 tcp
		HostIP    string `xml:"hostip,attr"`
		HostPort  string `xml:"hostport,attr"`
		GuestIP   string `xml:"guestip,attr"`
		GuestPort string `xml:"guestport,attr"`
	} `xml:"NAT>Forwarding"`
}

type shareXML struct {
	Name     string `xml:"name,attr"`
	HostPath string `xml:"hostPath,attr"`
	Writable string `xml:"writable,attr"`
}

// parseVBox reads a .vbox file. It holds no state and no transient shares.
func parseVBox(data []byte) (vmInfo, error) {
	var x machineXML
	if err := decodeXML(data, &x); err != nil {
		return vmInfo{}, err
	}
	if x.Machine.UUID == "" {
		return vmInfo{}, fmt.Errorf("it holds no readable VM (an encrypted VM or another kind of file)")
	}
	vm := vmInfo{VM: facts.VM{Name: clean(x.Machine.Name), UUID: bareUUID(x.Machine.UUID), Shares: []facts.Share{}, Symlinks: map[string]bool{}}}
	for _, e := range x.Machine.Extra {
		if share, ok := strings.CutPrefix(e.Name, symlinkKey); ok {
			vm.Symlinks[clean(share)] = e.Value == "1"
		}
	}
	for _, a := range x.Machine.Adapters {
		if strings.EqualFold(a.Enabled, "true") {
			vm.Forwards = append(vm.Forwards, a.forwards()...)
		}
	}
	for _, s := range x.Machine.Shares {
		vm.Shares = append(vm.Shares, facts.Share{
			Name: clean(s.Name), HostPath: clean(s.HostPath), ReadOnly: !strings.EqualFold(s.Writable, "true"),
		})
	}
	return vm, nil
}

func (a adapterXML) forwards() []forward {
	var all []forward
	for _, x := range a.Forwards {
		hostPort, ok1 := port(x.HostPort)
		guestPort, ok2 := port(x.GuestPort)
		if !ok1 || !ok2 {
			continue
		}
		proto := "udp"
		if x.Proto == "1" || strings.EqualFold(x.Proto, "tcp") {
			proto = "tcp"
		}
		all = append(all, forward{
			Name: clean(x.Name), Proto: proto, HostIP: clean(x.HostIP), HostPort: hostPort,
			GuestIP: clean(x.GuestIP), GuestPort: guestPort, adapter: a.Slot + 1,
		})
	}
	return all
}

// parseRegistry reads VirtualBox.xml: the settings file of every registered VM by uuid.
func parseRegistry(data []byte) (map[string]string, error) {
	var x struct {
		Entries []struct {
			UUID string `xml:"uuid,attr"`
			Src  string `xml:"src,attr"`
		} `xml:"Global>MachineRegistry>MachineEntry"`
	}
	if err := decodeXML(data, &x); err != nil {
		return nil, err
	}
	all := make(map[string]string, len(x.Entries))
	for _, e := range x.Entries {
		all[bareUUID(e.UUID)] = e.Src
	}
	return all, nil
}

func decodeXML(data []byte, into any) error {
	d := xml.NewDecoder(strings.NewReader(plain(string(trimBOM(data)))))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // plain made it UTF-8
	return d.Decode(into)
}

func bareUUID(s string) string { return strings.ToLower(strings.Trim(clean(s), "{} ")) }

// readVBox reads one settings file.
func readVBox(path string) (vmInfo, error) {
	data, err := readBounded(path, maxXML)
	if err != nil {
		return vmInfo{}, err
	}
	vm, err := parseVBox(data)
	if err != nil {
		return vmInfo{}, fmt.Errorf("VirtualBox's settings file %s cannot be read: %w", path, err)
	}
	vm.CfgFile = path
	return vm, nil
}

// readBounded reads a regular file that must not be larger than limit. Anything else is refused before it is
// opened: the project folder is often shared with the guest, which could put a pipe there.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes, which no such file should be", path, limit)
	}
	return data, nil
}

// registryFile is VirtualBox.xml of the user: VBOX_USER_HOME, else the folder of the operating system.
func (ob *observer) registryFile() string {
	home := ob.Getenv("VBOX_USER_HOME")
	if home == "" {
		home = ob.vboxHome()
	}
	return filepath.Join(home, "VirtualBox.xml")
}

// vboxHome is VirtualBox's folder of settings; on Linux an old ~/.VirtualBox wins, as VirtualBox itself does.
func (ob *observer) vboxHome() string {
	switch ob.goos {
	case "darwin":
		return filepath.Join(ob.HomeDir, "Library", "VirtualBox")
	case "windows":
		return filepath.Join(ob.HomeDir, ".VirtualBox")
	}
	old := filepath.Join(ob.HomeDir, ".VirtualBox")
	if _, err := os.Stat(filepath.Join(old, "VirtualBox.xml")); err == nil {
		return old
	}
	if config := ob.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(config) {
		return filepath.Join(config, "VirtualBox")
	}
	return filepath.Join(ob.HomeDir, ".config", "VirtualBox")
}

// settingsOf finds a VM's settings file through the registry.
func (ob *observer) settingsOf(uuid string) (string, error) {
	file := ob.registryFile()
	data, err := readBounded(file, maxXML)
	if err != nil {
		return "", fmt.Errorf("VirtualBox's list of machines cannot be read: %w", err)
	}
	all, err := parseRegistry(data)
	if err != nil {
		return "", fmt.Errorf("VirtualBox's list of machines %s is damaged (%w); compare it with %s-prev, VirtualBox's own copy", file, err, file)
	}
	src, ok := all[uuid]
	if !ok {
		return "", fmt.Errorf("VirtualBox's list of machines %s has no VM %s", file, uuid)
	}
	if !filepath.IsAbs(src) {
		src = filepath.Join(filepath.Dir(file), src)
	}
	return src, nil
}

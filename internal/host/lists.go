package host

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// errOldForm is an answer in a form that no known release prints.
var errOldForm = errors.New("VBoxManage answered in a form that boxdoctor does not know")

// pair is one "Key:   value" line.
type pair struct{ key, value string }

// pairs reads lines of "Key:   value"; lines without a colon (warnings) are passed over. An empty key is an empty line.
func pairs(out string) []pair {
	var all []pair
	for _, line := range lines(out) {
		if strings.TrimSpace(line) == "" {
			all = append(all, pair{})
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if ok && !strings.HasPrefix(key, "WARNING") && len(all) < maxVMs {
			all = append(all, pair{clean(strings.TrimSpace(key)), clean(strings.TrimSpace(value))})
		}
	}
	return all
}

// blocks splits a list into its entries: each begins with one of the keys that name an entry.
func blocks(out string, begins ...string) []map[string]string {
	var all []map[string]string
	var now map[string]string
	for _, p := range pairs(out) {
		for _, b := range begins {
			if p.key == b || strings.HasPrefix(p.key, b+" ") && strings.HasSuffix(b, "no.") {
				now = map[string]string{b: p.value}
				all = append(all, now)
			}
		}
		if now == nil || p.key == "" {
			continue
		}
		if _, twice := now[p.key]; !twice {
			now[p.key] = p.value
		}
	}
	return all
}

// number is the leading number of a value such as "2097152 Megabytes"; 0 without one.
func number(s string) int {
	first, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

func first(m map[string]string, keys ...string) string {
	for _, k := range keys {
		if m[k] != "" {
			return m[k]
		}
	}
	return ""
}

func parseHostInfo(out string) (facts.HostInfo, error) {
	m := map[string]string{}
	for _, p := range pairs(out) {
		m[p.key] = p.value
	}
	if m["Memory size"] == "" {
		return facts.HostInfo{}, errOldForm
	}
	return facts.HostInfo{
		HWVirt: m["Processor supports HW virtualization"], NestedHWVirt: m["Processor supports nested HW virtualization"],
		Cores: number(m["Processor core count"]), MemoryMB: number(m["Memory size"]), AvailableMB: number(m["Memory available"]),
	}, nil
}

func parseProperties(out string) (facts.SystemProperties, error) {
	m := map[string]string{}
	for _, p := range pairs(out) {
		m[p.key] = p.value
	}
	if m["Default machine folder"] == "" {
		return facts.SystemProperties{}, errOldForm
	}
	return facts.SystemProperties{MachineFolder: m["Default machine folder"], MaxRAMMB: number(m["Maximum guest RAM size"])}, nil
}

// parseHostOnly reads `list hostonlyifs`, and on macOS `list hostonlynets`.
func parseHostOnly(out string) ([]facts.HostOnly, error) {
	all := []facts.HostOnly{}
	for _, b := range blocks(out, "Name") {
		all = append(all, facts.HostOnly{
			Name: b["Name"], IP: first(b, "IPAddress", "LowerIP"), Mask: b["NetworkMask"],
			Status: first(b, "Status", "State"), Network: b["VBoxNetworkName"],
		})
	}
	return all, nil
}

// parseDHCP reads both forms of `list dhcpservers`: before 6.1 IP, now Dhcpd IP.
func parseDHCP(out string) ([]facts.DHCPServer, error) {
	all := []facts.DHCPServer{}
	for _, b := range blocks(out, "NetworkName") {
		all = append(all, facts.DHCPServer{
			Network: b["NetworkName"], IP: first(b, "Dhcpd IP", "IP"), Mask: b["NetworkMask"],
			Lower: first(b, "LowerIPAddress", "lowerIPAddress"), Upper: first(b, "UpperIPAddress", "upperIPAddress"),
			Enabled: b["Enabled"] == "Yes",
		})
	}
	return all, nil
}

func parseExtPacks(out string) ([]facts.ExtPack, error) {
	all := []facts.ExtPack{}
	for _, b := range blocks(out, "Pack no.") {
		all = append(all, facts.ExtPack{Name: b["Pack no."], Version: b["Version"], Usable: b["Usable"] == "true", Why: b["Why unusable"]})
	}
	return all, nil
}

func parseBridged(out string) ([]facts.Bridged, error) {
	all := []facts.Bridged{}
	for _, b := range blocks(out, "Name") {
		all = append(all, facts.Bridged{Name: b["Name"], Status: b["Status"]})
	}
	return all, nil
}

// parseMedia reads `list hdds` and looks whether the files are there.
func parseMedia(out string) ([]facts.Medium, error) {
	all := []facts.Medium{}
	for _, b := range blocks(out, "UUID") {
		m := facts.Medium{UUID: strings.ToLower(b["UUID"]), Location: b["Location"]}
		_, err := os.Stat(m.Location)
		m.Missing = errors.Is(err, os.ErrNotExist)
		all = append(all, m)
	}
	return all, nil
}

// settingsOfVM takes from showvminfo what matters before a start.
func settingsOfVM(out string) facts.VMSettings {
	var s vmSettings
	for _, line := range lines(out) {
		key, value, ok := splitInfo(line)
		if !ok {
			continue
		}
		switch key {
		case "CfgFile":
			s.CfgFile = clean(value)
		case "memory":
			s.MemoryMB = number(value)
		case "cpus":
			s.CPUs = number(value)
		case "uartmode1":
			s.UARTOff = value == "disconnected"
		case "SessionName":
			s.Session = clean(value)
		case "ehci", "xhci":
			if value == "on" {
				s.USB = key
			}
		default:
			s.adapter(key, value)
		}
	}
	s.fromFiles()
	return s.VMSettings
}

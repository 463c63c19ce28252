package host

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// vmSettings are facts.VMSettings while showvminfo is read.
type vmSettings struct{ facts.VMSettings }

var cableKey = regexp.MustCompile(`^cableconnected(\d{1,2})$`)

// adapter takes the keys that carry the number of a network adapter.
func (s *vmSettings) adapter(key, value string) {
	if nicKey.MatchString(key) && value != "none" {
		s.NICs++
	}
	if m := cableKey.FindStringSubmatch(key); m != nil && value == "off" {
		n, _ := strconv.Atoi(m[1]) // at most two digits
		s.CableOff = append(s.CableOff, n)
	}
}

// maxLog bounds how much of a VM's log is read.
const maxLog = 4 << 20

// fromFiles adds what only the settings file and the logs of the last run tell.
func (s *vmSettings) fromFiles() {
	if s.CfgFile == "" {
		return
	}
	dir := filepath.Join(filepath.Dir(s.CfgFile), "Logs")
	s.Slow = lineOf(filepath.Join(dir, "VBox.log"), "Snail execution mode", "Attempting fall back to NEM")
	s.Hardening = lineOf(filepath.Join(dir, "VBoxHardening.log"), "Error (rc=-")
	settings, err := readBounded(s.CfgFile, maxXML)
	s.NATDNSResolver = strings.Contains(string(settings), `use-host-resolver="true"`)
	if errors.Is(err, fs.ErrNotExist) {
		for _, suffix := range []string{"-prev", "-tmp"} {
			if regular(s.CfgFile + suffix) {
				s.Leftover = s.CfgFile + suffix
				s.Saved = textFile(s.Leftover)
				return
			}
		}
	}
}

// lineOf is the first line of a log that holds one of the texts; empty when there is none or no such file.
func lineOf(path string, texts ...string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sc := bufio.NewScanner(io.LimitReader(f, maxLog))
	sc.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for sc.Scan() {
		for _, t := range texts {
			if strings.Contains(sc.Text(), t) {
				line := clean(strings.TrimSpace(sc.Text()))
				return line[:min(len(line), 300)]
			}
		}
	}
	return ""
}

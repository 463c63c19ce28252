package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// waiver is one accepted finding. It must say why and until when: what nobody looks at again is forgotten.
type waiver struct {
	ID      string `yaml:"id"`
	Reason  string `yaml:"reason"`
	Expires string `yaml:"expires"`

	until time.Time
}

// waivers are those of the project that the current folder belongs to.
func (a *app) waivers() ([]waiver, error) {
	dir := a.getenv("VAGRANT_CWD")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, nil //nolint:nilerr // without a current folder there is no project
		}
		dir = wd
	}
	return readWaivers(dir)
}

// readWaivers finds .boxdoctor.yaml upwards from a folder and reads its waivers. The file may be written by a guest, so it
// can only waive: it names no commands and no files.
func readWaivers(dir string) ([]waiver, error) {
	path, err := findUpwards(dir, configFile)
	if path == "" {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > configLimit {
		err = errors.New("it is too large")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	var doc struct {
		Waivers []waiver `yaml:"waivers"`
	}
	if err == nil {
		err = yaml.Unmarshal(text, &doc)
	}
	if err != nil {
		return nil, usagef("%s: %v", path, err)
	}
	for i := range doc.Waivers {
		if err := doc.Waivers[i].complete(); err != nil {
			return nil, usagef("%s: waiver %d: %v", path, i+1, err)
		}
	}
	return doc.Waivers, nil
}

func (w *waiver) complete() (err error) {
	if w.ID == "" || w.Reason == "" || w.Expires == "" {
		return errors.New("id, reason and expires are all required")
	}
	if !slices.Contains(checkIDs(), w.ID) {
		return unknown("check", w.ID, checkIDs())
	}
	if w.until, err = time.ParseInLocation(time.DateOnly, w.Expires, time.Local); err != nil {
		return fmt.Errorf("expires %q: a date such as 2026-12-31 is expected", w.Expires)
	}
	return nil
}

// findUpwards is the nearest file of a name in a folder or above it; empty when there is none.
func findUpwards(dir, name string) (string, error) {
	for {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// waive takes accepted findings out of the verdict; one whose waiver has expired is a failure that says so.
func waive(r *finding.Report, ws []waiver, now time.Time, strict bool) {
	waived := map[string]bool{}
	for _, m := range r.Machines {
		for i := range m.Findings {
			f := &m.Findings[i]
			k := slices.IndexFunc(ws, func(w waiver) bool { return w.ID == f.ID })
			if k < 0 || f.Status == finding.Pass || f.Status == finding.Skip {
				continue
			}
			w := ws[k]
			if now.Before(w.until.AddDate(0, 0, 1)) {
				f.Message = fmt.Sprintf("waived until %s (%s); it was %s: %s", w.Expires, w.Reason, f.Status, f.Message)
				f.Status, waived[f.ID] = finding.Skip, true
				continue
			}
			f.Message = fmt.Sprintf("the waiver expired on %s (%s): %s", w.Expires, w.Reason, f.Message)
			f.Status = finding.Fail
		}
	}
	for _, m := range r.Machines {
		for i := range m.Findings {
			if waived[m.Findings[i].CausedBy] {
				m.Findings[i].CausedBy = "" // nothing is left that it could be folded under
			}
		}
	}
	r.Finish(strict)
}

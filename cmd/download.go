package cmd

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// isoBaseEnv names a mirror of Oracle's download server.
const isoBaseEnv = "BOXDOCTOR_VIRTUALBOX_MIRROR"

// downloaded returns the Guest Additions image to use: the host's own when it is that of the host's
// VirtualBox, else a downloaded one, which every machine then gets.
func (s *session) downloaded(h facts.Host, ms []engine.Machine) (facts.Value[facts.ISO], error) {
	manage := h.VBoxManage.Or(facts.VBoxManage{})
	v, err := version.ParseVBox(cmp.Or(h.GivenVersion, manage.Version))
	if err != nil {
		return h.AdditionsISO, usagef("--download: which version to download is not known, because VBoxManage did not tell the version of VirtualBox").
			withHint("Give it: --vbox-version 7.0.20")
	}
	if have := h.AdditionsISO.Or(facts.ISO{}); have.Path != "" && have.Version == v.Number {
		return h.AdditionsISO, nil
	}
	opts, err := s.a.transfers(s, engine.HostName)
	if err != nil {
		return h.AdditionsISO, err
	}
	iso, err := s.a.download(s.Soft, v.Number, filepath.Join(stateDir(s.a.getenv), "iso"), host.Download{Base: s.a.getenv(isoBaseEnv), Options: opts})
	s.progress.Set(engine.HostName, "")
	if err != nil {
		return h.AdditionsISO, fmt.Errorf("the Guest Additions image was not downloaded: %w", err)
	}
	for i := range ms {
		ms[i].Host.AdditionsISO = facts.Known(iso)
	}
	return facts.Known(iso), nil
}

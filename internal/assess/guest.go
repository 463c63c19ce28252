package assess

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// MissingTools are those of the named programs that the guest does not have.
func MissingTools(t facts.Tools, names []string) []string {
	var out []string
	for _, n := range names {
		if t.Path[n] == "" {
			out = append(out, n)
		}
	}
	return out
}

// Holders are the processes and drivers that keep the Guest Additions' modules in memory, in words (row M4).
func Holders(m facts.Modules) []string {
	var out []string
	for _, u := range m.Users {
		out = append(out, fmt.Sprintf("%s (process %d) has %s open", cmp.Or(u.Name, "a process"), u.PID, u.Path))
	}
	if m.Video.Loaded && m.Video.RefCnt > 0 {
		out = append(out, "the graphics driver vboxvideo is in use")
	}
	return out
}

// InUse says who keeps a share busy that has to be unmounted, "/vagrant is used by bash (process 812)"; empty: nobody.
func InUse(m facts.Mounts) string {
	var out []string
	for _, h := range m.Holders[:min(len(m.Holders), 5)] {
		out = append(out, fmt.Sprintf("%s (process %s)", h.Name, h.PID))
	}
	if len(out) == 0 {
		return ""
	}
	return m.Holders[0].Target + " is used by " + strings.Join(out, ", ")
}

// StrayDirs are folders /opt/VBoxGuestAdditions-* that the installation record does not name.
func StrayDirs(ga facts.Additions) []string {
	return slices.DeleteFunc(slices.Clone(ga.OptDirs), func(d string) bool { return d == ga.InstallDir })
}

// WantedMounts are the folders that have to be mounted: Vagrant's record, else the vboxsf lines of fstab.
func WantedMounts(f *facts.Facts, m facts.Mounts) []facts.SyncedFolder {
	if folders, err := f.Host.Folders.Get(); err == nil {
		return folders
	}
	var out []facts.SyncedFolder
	for _, l := range m.FSTab {
		out = append(out, facts.SyncedFolder{Name: l.Source, GuestPath: l.Target, Options: l.Options})
	}
	return out
}

// MountedAt tells whether the wanted share lies on its path. Old Guest Additions write "none" where newer ones
// write the share's name.
func MountedAt(m facts.Mounts, w facts.SyncedFolder) bool {
	return slices.ContainsFunc(m.VBoxSF, func(mt facts.Mount) bool {
		return path.Clean(mt.Target) == path.Clean(w.GuestPath) && (mt.Source == w.Name || mt.Source == "none")
	})
}

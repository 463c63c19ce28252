package fixes

import (
	"fmt"
	"path"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Fix{
	ID: "space.package_cache", Title: "Remove downloaded packages", Impact: Harmless,
	Clears: []string{"space.free"},
	After:  []string{"locks.restore"},
	Rows:   []string{"S6", "S7"},
	Why: "The package manager's folder of downloaded packages is the one thing on a full disk that can be had back by downloading it again; it is emptied by " +
		"the manager's own command, and only when that makes enough room. Nothing else is ever removed: what fills a disk is yours.",
	Plan: planCache,
})

func planCache(in Input) ([]action.Action, error) {
	list, err := in.Facts.Guest.Space.Get()
	if err != nil {
		return nil, err
	}
	p, err := in.Facts.Guest.Packages.Get()
	if err != nil {
		return nil, err
	}
	m := packageManager(in)
	where, lacks := shortest(in, list, mountOf(list, m.Cache))
	switch {
	case lacks == 0:
		return nil, nil // what is short lies elsewhere, or nothing is
	case m.Clean == nil:
		return nil, fmt.Errorf("%s of the guest lacks %d MiB; %s holds %d MiB of downloaded packages, but they are your way back to older ones and are left alone: "+
			"make room yourself (sudo pacman -Sc removes those that are not installed)", where, (lacks+1023)>>10, m.Cache, max(p.CacheKB, 0)>>10)
	case p.CacheKB < lacks:
		return nil, fmt.Errorf("%s of the guest lacks %d MiB, and the folder of downloaded packages holds only %d MiB that can be had back: make room yourself "+
			"(sudo du -xh --max-depth=1 %s shows where it went)", where, (lacks+1023)>>10, max(p.CacheKB, 0)>>10, where)
	}
	script := "wait_idle\nrun " + shell.Join(m.Clean) + "\n"
	return []action.Action{action.Job{Name: "remove downloaded packages", Lib: lib, Script: script, Timeout: 15 * time.Minute,
		Undo: "nothing to undo: the package manager downloads them again when it needs them"}}, nil
}

// mountOf is the file system on which a folder lies, as far as the paths that were looked at tell.
func mountOf(list []facts.Space, dir string) string {
	best := facts.Space{}
	for _, s := range list {
		if under(dir, s.Path) && len(s.Path) > len(best.Path) {
			best = s
		}
	}
	return best.Mount
}

func under(dir, parent string) bool {
	for ; dir != "/" && dir != "."; dir = path.Dir(dir) {
		if dir == path.Clean(parent) {
			return true
		}
	}
	return path.Clean(parent) == "/"
}

// shortest is how much room a file system lacks for what has to be done, in KiB.
func shortest(in Input, list []facts.Space, mount string) (where string, lacks int64) {
	needed, err := assess.BuildNeeded(in.Facts)
	for _, s := range list {
		want := int64(2 << 10)
		if err == nil && needed {
			want = assess.RoomNeeded(s.Path)
		}
		if s.Mount == mount && s.TotalKB > 0 && assess.RoomNeeded(s.Path) > 0 && want-s.FreeKB > lacks {
			where, lacks = s.Mount, want-s.FreeKB
		}
	}
	return where, lacks
}

package provision

import (
	"context"
	_ "embed" // the scripts that run in guests
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/offline_apt.sh
var offlineAPT string

//go:embed scripts/offline_rpm.sh
var offlineRPM string

// localPackages are packages from files of the host, which take the place of a repository.
type localPackages struct {
	// role is who wants them; names are what must be installed: the files may also hold what these need.
	role  string
	names []string
	files []action.Upload
}

// ID names the step.
func (p localPackages) ID() string { return "packages/" + p.role }

// Needs are the packages.
func (p localPackages) Needs() Needs { return Needs{Packages: p.names} }

// Diff installs what is missing.
func (p localPackages) Diff(s *State) ([]Change, error) {
	var missing []string
	for _, n := range p.names {
		have, err := s.packages.get(n)
		if err != nil {
			return nil, err
		}
		if !have.Installed {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []Change{{What: "packages", From: Absent, To: strings.Join(missing, ", "), Install: missing, Files: p.files}}, nil
}

// localOf are all packages of a folder that this package manager takes.
func localOf(role string, folder []action.Upload, manager string) (*localPackages, error) {
	out := &localPackages{role: role, files: fitting(folder, manager)}
	for _, f := range out.files {
		name := packages.InFile(filepath.Base(f.Local))
		if name == "" {
			return nil, fmt.Errorf("%s is not named as packages are, NAME-VERSION%s", f.Local, filepath.Ext(f.Local))
		}
		out.names = append(out.names, name)
	}
	if len(out.files) == 0 {
		return nil, fmt.Errorf("the folder of packages holds none for the guest's package manager, %s", or(manager, "which is not known"))
	}
	return out, nil
}

// offers tells whether a folder has a package.
func offers(folder []action.Upload, name string) bool {
	return slices.ContainsFunc(folder, func(u action.Upload) bool { return packages.InFile(filepath.Base(u.Local)) == name })
}

// under is a path of the configuration, which is relative to its folder.
func under(base, dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(base, filepath.FromSlash(dir))
}

// install installs packages in one transaction: from files that were declared for them, from the folder of --packages
// when it has one of them, else from repositories.
func (r *run) install(ctx context.Context, batch []pending, names []string) bool {
	sys := r.state.System.Manager
	files := filesOf(batch)
	if len(files) == 0 {
		files = offline(r.o.Packages, sys, names)
	}
	if len(files) == 0 {
		return r.do(ctx, batch, transaction(sys, names, r.packages(batch), r.o.Lib))
	}
	home := "/var/lib/boxdoctor/run/" + r.runID + "/packages"
	for _, u := range files {
		u.Remote = home + "/" + filepath.Base(u.Local)
		if !r.do(ctx, batch, u) {
			return false
		}
	}
	return r.do(ctx, batch, offlineTransaction(sys, home, names, r.packages(batch), r.o.Lib))
}

func filesOf(batch []pending) []action.Upload {
	var out []action.Upload
	for _, p := range batch {
		for _, c := range p.changes {
			out = append(out, c.Files...)
		}
	}
	return out
}

// fitting are the files that a package manager takes.
func fitting(folder []action.Upload, manager string) []action.Upload {
	ending := map[string]string{"apt": ".deb", "yum": ".rpm", "dnf": ".rpm", "dnf5": ".rpm", "zypper": ".rpm"}[manager]
	return slices.DeleteFunc(slices.Clone(folder), func(u action.Upload) bool { return ending == "" || filepath.Ext(u.Local) != ending })
}

// offline are the files of the folder that this package manager takes, when one of the packages is among them: with
// it may come what it needs.
func offline(folder []action.Upload, manager string, names []string) []action.Upload {
	files := fitting(folder, manager)
	for _, u := range files {
		if slices.ContainsFunc(names, func(n string) bool { return isOf(packages.InFile(filepath.Base(u.Local)), n, managers[manager].pin) }) {
			return files
		}
	}
	return nil
}

// isOf tells whether a package is the one that is to be installed, which may be pinned: name=1.2*, name-1.2*.
func isOf(pkg, wanted, pin string) bool {
	return pkg != "" && (pkg == wanted || pin != "" && strings.HasPrefix(wanted, pkg+pin))
}

// offlineTransaction is transaction for packages that lie in a folder of the guest.
func offlineTransaction(manager, home string, wanted, names []string, lib string) action.Job {
	job := action.Job{Name: "install " + strings.Join(wanted, " ") + " from files", Lib: lib, Timeout: 40 * time.Minute,
		Undo: "sudo " + shell.Join(append(slices.Clone(managers[manager].remove), names...)), Changed: action.Packages(names...)}
	if manager == "apt" {
		job.Script, job.Args = offlineAPT, append([]string{home}, wanted...)
		return job
	}
	m, _ := packages.Of(manager)
	job.Script, job.Args = offlineRPM, append([]string{home, strings.Join(wanted, "\n")}, m.InstallFiles(nil, true)...)
	return job
}

// Folder are the package files and the wheels of --packages.
func Folder(dir string) (files, wheels []action.Upload, err error) {
	const most = 500 // whoever points it at a whole mirror did not mean it
	for _, pattern := range []string{"*.deb", "*.rpm", "*.whl"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) > most {
			return nil, nil, fmt.Errorf("%s: more than %d files %s, or a name that is a pattern (%v)", dir, most, pattern, err)
		}
		for _, f := range found {
			size, hash, err := measure(f)
			if err != nil {
				return nil, nil, err
			}
			u := action.Upload{Local: f, SHA256: hash, Size: size}
			if pattern == "*.whl" {
				wheels = append(wheels, u)
			} else {
				files = append(files, u)
			}
		}
	}
	if len(files)+len(wheels) == 0 {
		return nil, nil, fmt.Errorf("%s: there is no package file (.deb, .rpm) and no wheel (.whl) in it", dir)
	}
	return files, wheels, nil
}

package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// outputFile is one --output.
type outputFile struct{ format, path string }

// parseOutputs reads FORMAT=FILE and refuses, before any work is done, what could not be written afterwards.
func parseOutputs(specs []string) ([]outputFile, error) {
	var out []outputFile
	for _, spec := range specs {
		format, path, ok := strings.Cut(spec, "=")
		switch {
		case !ok || path == "":
			return nil, usagef("--output %q: FORMAT=FILE is expected, such as json=report.json", spec)
		case !slices.Contains(report.Formats(), format):
			return nil, unknownFormat("--output", format)
		}
		resolved, err := writable(path)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o outputFile) bool { return o.path == resolved }) {
			return nil, usagef("--output %s: the file is named twice", path)
		}
		out = append(out, outputFile{format, resolved})
	}
	return out, nil
}

// writable returns the file that path leads to. It must be a regular file or not exist yet, in a folder that
// exists: a report is renamed into place, which would replace a device or a pipe.
func writable(path string) (string, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "", usagef("--output %s: this is a folder, a file is needed", path)
	case err == nil && !info.Mode().IsRegular():
		return "", usagef("--output %s: this is not a regular file; use --format to write to standard output", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", usagef("--output: %v", err)
	case err == nil && locked(path):
		return "", usagef("--output %s: this file cannot be replaced, it is immutable or may only be appended to (chattr)", path)
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", usagef("--output %s: the folder %s does not exist", path, dir).withHint("Make it first: mkdir -p %s", dir)
	}
	probe, err := os.CreateTemp(dir, tempPattern(path))
	if err != nil {
		return "", usagef("--output %s: the folder %s cannot be written: %v", path, dir, errors.Unwrap(err))
	}
	_ = probe.Close()
	return path, os.Remove(probe.Name())
}

// locked tells whether a file may not be changed by anybody. A file that merely lacks the permission to write may be
// replaced.
func locked(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_ = f.Close()
	}
	return errors.Is(err, syscall.EPERM)
}

func tempPattern(path string) string { return "." + filepath.Base(path) + ".*" }

// writeAtomic writes a file beside its place and renames it, so that nobody ever reads half a report.
func writeAtomic(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempPattern(path))
	if err != nil {
		return err
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), modeOf(path))
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("the report could not be written to %s: %w", path, err)
	}
	return nil
}

// modeOf keeps the permissions of a file that is replaced.
func modeOf(path string) fs.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

// reportOptions are what the renderers need to know of the command line.
func (a *app) reportOptions(o outputFlags, reach reachFlags, run runFlags) report.Options {
	ro := report.Options{Verbose: o.Verbose > 0, Quiet: o.Quiet, Strict: run.Strict, Timeout: run.Timeout, Width: a.streams.Width,
		ASCII: a.streams.ASCII, Paint: a.streams.OutPalette, Looks: looks, Impact: impact,
		Flags: reach.again(), NoNames: reach.SSH != "", Plain: a.streams.CI.Plain}
	if opening, _ := a.streams.CI.Group("", a.now()); opening != "" {
		ro.Group = func(name string) (opening, closing string) { return a.streams.CI.Group(name, a.now()) }
	}
	return ro
}

func looks(id string) string {
	c, _ := checks.ByID(id)
	return c.Looks
}

// impact says what a fix does beyond the harmless.
func impact(id string) string {
	f, ok := fixes.ByID(id)
	if !ok || f.Impact == fixes.Harmless {
		return ""
	}
	return f.Impact.String()
}

// deliver writes the report to standard output and to every --output file. All of them are tried; the first
// error is returned.
func (a *app) deliver(r finding.Report, o outputFlags, ro report.Options) error {
	rep, err := report.New(o.Format, ro)
	if err != nil {
		return err
	}
	errs := []error{rep.Report(a.streams.Out, r)}
	ro.Width, ro.ASCII, ro.Paint, ro.Quiet, ro.Group, ro.Plain = term.DefaultWidth, false, nil, false, nil, nil
	for _, f := range o.files {
		rep, err := report.New(f.format, ro)
		if err != nil {
			return err
		}
		errs = append(errs, writeAtomic(f.path, func(w io.Writer) error { return rep.Report(w, r) }))
	}
	return errors.Join(errs...)
}

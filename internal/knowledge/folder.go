package knowledge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Folder is a place with further signatures, in files of the form of the embedded ones.
type Folder struct {
	Path string
	// Words: only what a text means is taken from it, no command and nothing that hides a fault. That is for places into
	// which a guest can write, such as a project's folder.
	Words bool
}

const (
	mostFiles    = 200
	mostFileSize = 1 << 20
)

// With is the base with the signatures of folders added. A file that cannot be used is left out as a whole and named in the
// error, with the place in it; everything else counts all the same.
func (b *Base) With(folders ...Folder) (*Base, error) {
	more := &Base{signatures: slices.Clone(b.signatures), harmless: slices.Clip(b.harmless), healthy: slices.Clip(b.healthy),
		context: slices.Clip(b.context), runs: slices.Clip(b.runs), trouble: b.trouble}
	var errs []error
	for _, f := range folders {
		errs = append(errs, more.addFolder(f))
	}
	return more, errors.Join(errs...)
}

func (b *Base) addFolder(f Folder) error {
	names, err := filepath.Glob(filepath.Join(escapeGlob(f.Path), "*.yaml"))
	if err != nil {
		return err
	}
	if len(names) > mostFiles {
		return &FileError{Path: f.Path, Text: fmt.Sprintf("%d files; at most %d are read", len(names), mostFiles)}
	}
	limits := anything
	if f.Words {
		limits = wordsOnly
	}
	var errs []error
	for _, name := range names {
		text, err := readFile(name)
		if err == nil {
			err = b.add(name, text, limits)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// escapeGlob keeps the special characters of a folder's name from being special.
func escapeGlob(path string) string {
	var out []byte
	for i := range len(path) {
		if c := path[i]; c == '*' || c == '?' || c == '[' {
			out = append(out, '[', c, ']')
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// readFile reads a regular file of a sensible size; a link could lead anywhere.
func readFile(name string) ([]byte, error) {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().Type() != 0:
		return nil, &FileError{Path: name, Text: "not a regular file: links are not followed here"}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer closed(f)
	text, err := io.ReadAll(io.LimitReader(f, mostFileSize+1))
	if err == nil && len(text) > mostFileSize {
		err = &FileError{Path: name, Text: fmt.Sprintf("longer than %d bytes", mostFileSize)}
	}
	return text, err
}

// closed ends reading; what was read is whole.
func closed(f fs.File) { _ = f.Close() }

// limits say what else a file must have or must not have; the string is the place of what is wrong.
type limits func(*signatureFile) (where string, bad *fieldError)

func anything(*signatureFile) (string, *fieldError) { return "", nil }

// wordsOnly refuses what could make somebody run a command, or hide a fault.
func wordsOnly(f *signatureFile) (string, *fieldError) {
	for i, s := range f.Signatures {
		if len(s.Advice) > 0 {
			return entry("signatures", i), fieldf("advice", "signature %s: advice is not taken from a project's folder, because a guest can write into it", s.ID)
		}
		if s.Fix != "" {
			return entry("signatures", i), fieldf("fix", "signature %s: fix is not taken from a project's folder, because a guest can write into it", s.ID)
		}
	}
	for name, n := range map[string]int{"harmless": len(f.Harmless), "healthy": len(f.Healthy), "context": len(f.Context), "runs": len(f.Runs),
		"trouble": len(f.Trouble.Words) + len(f.Trouble.Not)} {
		if n > 0 {
			return "$", fieldf(name, "%s is not taken from a project's folder: it could hide a fault", name)
		}
	}
	return "", nil
}

// complete is what embedded signatures must have; users may leave it out.
func complete(f *signatureFile) (string, *fieldError) {
	for i := range f.Signatures {
		if err := f.Signatures[i].complete(); err != nil {
			return entry("signatures", i), fieldf("id", "%v", err)
		}
	}
	return "", nil
}

func entry(list string, i int) string { return fmt.Sprintf("$.%s[%d]", list, i) }

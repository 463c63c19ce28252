package shell

import (
	"regexp"
	"runtime"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// slashGlob makes the shell expand file name patterns itself: the library's expansion joins paths as the
// system that boxdoctor runs on does, which on Windows is not the guest's way. It differs from the library's
// in one point: a pattern that comes only from a variable stays as it is.
var slashGlob = runtime.GOOS == "windows"

// globFields is fields with slashGlob.
func (s *Shell) globFields(words []*syntax.Word) ([]string, error) {
	var out []string
	for _, w := range words {
		list, err := expand.Fields(s.cfg, w)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && !s.opt.noglob && globLiteral(w) {
			pat, err := expand.Pattern(s.cfg, w)
			if err != nil {
				return nil, err
			}
			if found := s.glob(pat); len(found) > 0 {
				list = found
			}
		}
		out = append(out, list...)
	}
	return out, nil
}

// globLiteral tells whether a word has an unquoted pattern character.
func globLiteral(w *syntax.Word) bool {
	for _, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok && pattern.HasMeta(lit.Value, 0) {
			return true
		}
	}
	return false
}

// glob lists the paths of the tree that match a pattern, sorted.
func (s *Shell) glob(pat string) []string {
	found := []string{""}
	if strings.HasPrefix(pat, "/") {
		found = []string{"/"}
	}
	parts := strings.FieldsFunc(pat, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		var next []string
		for _, dir := range found {
			next = append(next, s.globIn(dir, part, i < len(parts)-1)...)
		}
		found = next
	}
	return found
}

// globIn matches one component below dir, which is empty or ends in a slash.
func (s *Shell) globIn(dir, part string, more bool) []string {
	if !pattern.HasMeta(part, 0) {
		name := strings.ReplaceAll(part, `\`, "")
		if _, err := s.p.K.FS.Lstat(s.p.Cred, s.p.Abs(dir+name)); err != nil {
			return nil
		}
		return []string{dir + name + slash(more)}
	}
	expr, err := pattern.Regexp(part, pattern.EntireString|pattern.Filenames)
	if err != nil {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil
	}
	where := dir
	if where == "" {
		where = "."
	}
	list, _ := s.p.K.FS.ReadDir(s.p.Cred, s.p.Abs(where))
	var out []string
	for _, in := range list {
		hidden := strings.HasPrefix(in.Name(), ".") && !strings.HasPrefix(part, ".")
		if !hidden && re.MatchString(in.Name()) && (!more || s.isDir(dir+in.Name())) {
			out = append(out, dir+in.Name()+slash(more))
		}
	}
	return out
}

func (s *Shell) isDir(name string) bool {
	in, err := s.p.K.FS.Stat(s.p.Cred, s.p.Abs(name))
	return err == nil && in.IsDir()
}

func slash(more bool) string {
	if more {
		return "/"
	}
	return ""
}

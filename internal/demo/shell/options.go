package shell

import (
	"io/fs"
	"strconv"
	"strings"
)

func fsMode(m uint32) fs.FileMode { return fs.FileMode(m) }

func (o *options) byLetter(c rune) *bool {
	switch c {
	case 'e':
		return &o.errexit
	case 'u':
		return &o.nounset
	case 'f':
		return &o.noglob
	case 'x':
		return &o.xtrace
	case 'n':
		return &o.noexec
	case 'C':
		return &o.noclobber
	case 'a':
		return &o.allexport
	}
	return nil
}

var longOptions = map[string]rune{"errexit": 'e', "nounset": 'u', "noglob": 'f', "xtrace": 'x', "noexec": 'n', "noclobber": 'C', "allexport": 'a'}

func (o *options) flags() string {
	out := ""
	for _, c := range "aefnuxC" {
		if *o.byLetter(c) {
			out += string(c)
		}
	}
	return out
}

func (s *Shell) setShort(c rune, on bool) bool {
	p := s.opt.byLetter(c)
	if p == nil {
		return false
	}
	*p = on
	if s.cfg != nil {
		s.expandOptions()
	}
	return true
}

func (s *Shell) setLong(name string, on bool) error {
	if c, ok := longOptions[name]; ok && s.setShort(c, on) {
		return nil
	}
	return badOption(name)
}

type badOption string

func (b badOption) Error() string { return string(b) + ": invalid option name" }

func biSet(s *Shell, args []string) int {
	rest := args[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && (rest[0][0] == '-' || rest[0][0] == '+') {
		a, on := rest[0], rest[0][0] == '-'
		rest = rest[1:]
		switch {
		case a == "--":
			s.params = rest
			return 0
		case a[1:] == "o" && len(rest) > 0:
			if err := s.setLong(rest[0], on); err != nil {
				s.complain("set", "%v", err)
				s.exit(2)
				return 2
			}
			rest = rest[1:]
		default:
			for _, c := range a[1:] {
				if !s.setShort(c, on) {
					s.complain("set", "-%c: invalid option", c)
					s.exit(2)
					return 2
				}
			}
		}
	}
	if len(rest) > 0 {
		s.params = rest
	}
	return 0
}

// getopts takes one option; OPTIND and the place in a bundle are kept in variables, as dash does.
func (s *Shell) getopts(spec, name string, list []string) int {
	ind, _ := atoi(s.get("OPTIND"))
	place, _ := atoi(s.get("OPTPLACE"))
	ind = max(ind, 1)
	delete(s.vars, "OPTARG")
	if ind > len(list) || len(list[ind-1]) < 2 || list[ind-1][0] != '-' {
		s.assign(name, "?")
		return 1
	}
	arg := list[ind-1]
	if arg == "--" {
		s.assign("OPTIND", strconv.Itoa(ind+1))
		s.assign(name, "?")
		return 1
	}
	place = max(place, 1)
	opt := arg[place : place+1]
	if place++; place >= len(arg) {
		place, ind = 0, ind+1
	}
	i := strings.Index(strings.TrimPrefix(spec, ":"), opt)
	want := i >= 0 && strings.HasPrefix(strings.TrimPrefix(spec, ":")[i+1:], ":")
	quiet := strings.HasPrefix(spec, ":")
	switch {
	case i < 0 || opt == ":":
		s.optionError(quiet, name, opt, "illegal option", "?")
	case want && place > 0:
		s.assign("OPTARG", arg[place:])
		s.assign(name, opt)
		place, ind = 0, ind+1
	case want && ind > len(list):
		s.optionError(quiet, name, opt, "option requires an argument", ":")
	case want:
		s.assign("OPTARG", list[ind-1])
		s.assign(name, opt)
		ind++
	default:
		s.assign(name, opt)
	}
	s.assign("OPTPLACE", strconv.Itoa(place))
	s.assign("OPTIND", strconv.Itoa(ind))
	return 0
}

func (s *Shell) optionError(quiet bool, name, opt, what, mark string) {
	if quiet {
		s.assign("OPTARG", opt)
		s.assign(name, mark)
		return
	}
	s.p.Errorf("%s: %s -- %s\n", s.arg0, what, opt)
	s.assign(name, "?")
}

package logtext

import (
	"bytes"
	"regexp"
)

// What loggers put in front of lines, by what it begins with.
var (
	kernelStamp = regexp.MustCompile(`^\[ *\d+\.\d{3,}\](?: \[[^\]]{1,40}\])? ?`)
	priority    = regexp.MustCompile(`^<\d{1,3}> ?`)
	// dateStamp is ISO's, perhaps with the host and program of a journal behind it.
	dateStamp  = regexp.MustCompile(`^[\[(]?\d{4}[-/]\d\d[-/]\d\d[T _]\d\d:\d\d(?::\d\d(?:[.,:]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?[\])]?(?: [\w.-]+ [\w./@-]+\[\d+\]:)?(?: [-|])?:? ?`)
	syslog     = regexp.MustCompile(`^[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? [^\s:]+ [^\s:\[]+(?:\[\d+\])?: ?`)
	clockStamp = regexp.MustCompile(`^[\[(]?\d\d:\d\d:\d\d(?:[.,]\d+)?[\])]?(?: [-|])? ?`)
	klog       = regexp.MustCompile(`^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.-]+:\d+\] ?`)
	vagrantLog = regexp.MustCompile(`^ *(?:DEBUG|INFO|WARN|ERROR|FATAL) [a-z_0-9-]+: (?:(?:stdout|stderr|info|error|output|detail|warn|success): ?)?`)
	workflow   = regexp.MustCompile(`^(?:##\[\w+\]|::(?:error|warning|notice|debug)[^:]{0,200}::) ?`)
	// machineReadable is the front of a line of vagrant --machine-readable.
	machineReadable = regexp.MustCompile(`^\d{9,11},[^,]{0,64},(?:ui,[a-z]+|error-exit,[\w:]{1,100}|[a-z-]{1,40}),`)
)

// shortestStamp is the length of the shortest of them with its text.
const shortestStamp = 5

// stampOf is the stamp that a line may begin with, by a look at a few letters; nil: none.
func stampOf(t []byte) *regexp.Regexp {
	if len(t) < shortestStamp {
		return nil
	}
	switch c := t[0]; {
	case c == '[' && (t[1] == ' ' || digit(t[1])), c == '(' && digit(t[1]):
		return bracketed(t)
	case digit(c):
		return numeric(t)
	case c == '<' && digit(t[1]):
		return priority
	case c == '#' && t[1] == '#', c == ':' && t[1] == ':':
		return workflow
	case c == ' ' || c >= 'A' && c <= 'Z':
		return worded(t)
	}
	return nil
}

func bracketed(t []byte) *regexp.Regexp {
	switch {
	case t[3] == ':':
		return clockStamp
	case digit(t[1]) && len(t) > 5 && (t[5] == '-' || t[5] == '/'):
		return dateStamp
	}
	return kernelStamp
}

func numeric(t []byte) *regexp.Regexp {
	switch {
	case t[2] == ':':
		return clockStamp
	case t[4] == '-' || t[4] == '/':
		return dateStamp
	case len(t) > 9 && digit(t[8]) && bytes.IndexByte(t[9:min(len(t), 12)], ',') >= 0:
		return machineReadable
	}
	return nil
}

func worded(t []byte) *regexp.Regexp {
	switch {
	case t[3] == ' ' && (digit(t[4]) || t[4] == ' ') && t[0] != ' ':
		return syslog
	case digit(t[1]) && digit(t[4]):
		return klog
	}
	word := bytes.TrimLeft(t[:min(len(t), 8)], " ")
	if len(word) > 3 && bytes.IndexByte([]byte("DIWEF"), word[0]) >= 0 && word[1] >= 'A' && word[1] <= 'Z' {
		return vagrantLog
	}
	return nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// stamp takes what a logger put in front of a line off it.
func stamp(text []byte, l *Line) []byte {
	re := stampOf(text)
	if re == nil {
		return text
	}
	at := re.FindIndex(text)
	if at == nil {
		return text
	}
	l.Prefixed = true
	if re == machineReadable {
		return bytes.ReplaceAll(text[at[1]:], []byte("%!(VAGRANT_COMMA)"), []byte(","))
	}
	return text[at[1]:]
}

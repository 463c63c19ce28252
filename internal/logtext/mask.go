package logtext

import "regexp"

// masks find secrets and say what stands in their place.
var masks = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(://)[^/\s@]+@`), "${1}***@"},
	{regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)?\s*)[^\s"',]+`), "${1}***"},
	{regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[\w-]*["']?(?:\s*[:=]\s*|\s+is\s+)["']?)[^\s"',;&]+`), "${1}***"},
	{regexp.MustCompile(`(?i)(--?(?:password|passwd|pass|token|secret|key)[ =])[^\s"']+`), "${1}***"},
	{regexp.MustCompile(`\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{12,}|hvs\.[\w-]{16,}|xox[abprs]-[\w-]{8,}|\w{14}\.atlasv1\.[\w-]+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+)`), "***"},
	{regexp.MustCompile(`(-----BEGIN [A-Z ]*PRIVATE KEY-----).*`), "${1}***"},
}

// Mask replaces what looks like a secret: passwords in URLs and settings, tokens, private keys.
func Mask(text string) string {
	for _, m := range masks {
		text = m.find.ReplaceAllString(text, m.with)
	}
	return text
}

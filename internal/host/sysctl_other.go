//go:build !darwin

package host

// readSysctl: only macOS is asked this way.
func readSysctl(string) string { return "" }

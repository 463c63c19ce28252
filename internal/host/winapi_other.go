//go:build !windows

package host

// realWindows: there is no registry here, and nothing asks for one.
func realWindows() winAPI { return winAPI{} }

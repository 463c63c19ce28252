package packages

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/version"
)

// InFile is the package that a file holds, by its name: NAME-VERSION-RELEASE.ARCH.rpm, NAME_VERSION_ARCH.deb or
// NAME-VERSION-RELEASE-ARCH.pkg.tar.zst; empty when it cannot be told.
func InFile(name string) string {
	if rest, ok := strings.CutSuffix(name, ".deb"); ok {
		rest, _, _ = strings.Cut(rest, "_")
		return rest
	}
	if rest, _, ok := strings.Cut(name, ".pkg.tar"); ok {
		parts := strings.Split(rest, "-")
		return strings.Join(parts[:max(len(parts)-3, 0)], "-")
	}
	n, err := version.ParseNEVRA(name)
	if err != nil {
		return ""
	}
	return n.Name
}

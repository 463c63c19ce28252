//go:build !unix

package action

import (
	"io/fs"
	"os"
)

// keepOwner: a file that Windows makes in a folder has the rights of the folder.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

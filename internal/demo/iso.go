package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// isoSize is the size of the synthetic image.
const isoSize = 2 << 20

// installerHead starts like the installer of Guest Additions 5.1, whose head makeself writes, so that its
// version is read from it as from a real one. What follows is a stand-in.
const installerHead = `#!/bin/sh
# This script was generated using Makeself 2.1.5
# boxdoctor: this is a stand-in for the demo. It holds nothing of VirtualBox and does nothing on a real machine.

CRCsum="0000000000"
MD5="00000000000000000000000000000000"
TMPROOT=${TMPDIR:=/tmp}

label="VirtualBox %s Guest Additions for Linux"
script="./install.sh"
scriptargs=""
targetdir="install"
filesizes="0"
keep=n

exec "${0%%/*}/standin" "$@"
`

// makeISO writes a small Guest Additions image for a version into dir.
func makeISO(dir, version string) (iso facts.ISO, err error) {
	path := filepath.Join(dir, "VBoxGuestAdditions.iso")
	store, err := file.CreateFromPath(path, isoSize)
	if err != nil {
		return facts.ISO{}, err
	}
	work, err := os.MkdirTemp(dir, "iso-")
	if err != nil {
		return facts.ISO{}, errors.Join(err, store.Close())
	}
	image, err := iso9660.Create(store, isoSize, 0, 2048, work)
	if err == nil {
		err = fillISO(image, version)
	}
	if err = errors.Join(err, store.Close(), os.RemoveAll(work)); err != nil {
		return facts.ISO{}, fmt.Errorf("make the demo's ISO: %w", err)
	}
	return describeISO(path, version)
}

func fillISO(image *iso9660.FileSystem, version string) error {
	for name, text := range map[string]string{
		"VBoxLinuxAdditions.run": fmt.Sprintf(installerHead, version),
		"standin":                string(kernel.Image("VBoxLinuxAdditions@" + version)),
		"README.txt":             "This image was made by boxdoctor demo. It holds nothing of VirtualBox.\n",
	} {
		f, err := image.OpenFile("/"+name, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return err
		}
		if _, err := f.Write([]byte(text)); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return image.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: "VBox_GAs_" + version})
}

func describeISO(path, version string) (facts.ISO, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return facts.ISO{}, err
	}
	sum := sha256.Sum256(data)
	return facts.ISO{Path: path, Version: version, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Source: "made by the demo"}, nil
}

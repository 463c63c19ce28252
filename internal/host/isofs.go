package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	sector = 2048
	// maxRoot bounds the root directory: real ones have under 3 KB.
	maxRoot = 1 << 20
	// maxDescriptors bounds the search for the primary volume descriptor; real images have three.
	maxDescriptors = 64
)

// isoImage reads the root folder of an ISO 9660 image, which is all that is needed. It is our own because
// the images of VirtualBox carry Rock Ridge entries that go-diskfs 1.9.4 refuses (a PX of 44 bytes under
// RRIP_1991A), and because a reader of foreign files should be small enough to be read.
type isoImage struct {
	r    io.ReaderAt
	size int64
	// volume is the volume id, such as VBOXADDITIONS_7.0.20_163906.
	volume          string
	rootAt, rootLen int64
}

// openISO reads the primary volume descriptor and checks that the file is as long as it says: a download
// that was cut off still has an intact head.
func openISO(r io.ReaderAt, size int64) (isoImage, error) {
	d := make([]byte, sector)
	for i := range int64(maxDescriptors) {
		if _, err := r.ReadAt(d, (16+i)*sector); err != nil {
			return isoImage{}, fmt.Errorf("its volume descriptors cannot be read: %w", err)
		}
		if !bytes.Equal(d[1:6], []byte("CD001")) || d[0] == 255 {
			break
		}
		if d[0] != 1 {
			continue
		}
		if want := int64(binary.LittleEndian.Uint32(d[80:84])) * sector; want > size {
			return isoImage{}, fmt.Errorf("it is cut off: %d bytes of %d are there, fetch it again", size, want)
		}
		root := d[156:190]
		return isoImage{
			r: r, size: size, volume: strings.TrimRight(string(d[40:72]), " \x00"),
			rootAt:  int64(binary.LittleEndian.Uint32(root[2:6])) * sector,
			rootLen: int64(binary.LittleEndian.Uint32(root[10:14])),
		}, nil
	}
	return isoImage{}, errors.New("it has no ISO 9660 signature")
}

// open finds a file of the root folder by name, in any case; nil when there is none.
func (i isoImage) open(name string) (*io.SectionReader, error) {
	if i.rootLen > maxRoot || i.rootAt+i.rootLen > i.size {
		return nil, errors.New("its root directory lies outside the file")
	}
	dir := make([]byte, i.rootLen)
	if _, err := i.r.ReadAt(dir, i.rootAt); err != nil {
		return nil, fmt.Errorf("its root directory cannot be read: %w", err)
	}
	for at := 0; at < len(dir); {
		length := int(dir[at])
		if length == 0 { // records do not cross sectors
			at = (at/sector + 1) * sector
			continue
		}
		if at+length > len(dir) || length < 34 {
			return nil, errors.New("its root directory is damaged")
		}
		if file := i.match(dir[at:at+length], name); file != nil {
			return file, nil
		}
		at += length
	}
	return nil, nil
}

// match compares one directory record, of at least 34 bytes, with a name.
func (i isoImage) match(record []byte, name string) *io.SectionReader {
	nameLen := int(record[32])
	if 33+nameLen > len(record) || record[25]&2 != 0 { // a folder
		return nil
	}
	own, _, _ := strings.Cut(string(record[33:33+nameLen]), ";")
	if !strings.EqualFold(strings.TrimSuffix(own, "."), name) && !strings.EqualFold(longName(record[33+nameLen:], nameLen), name) {
		return nil
	}
	at := int64(binary.LittleEndian.Uint32(record[2:6])) * sector
	length := int64(binary.LittleEndian.Uint32(record[10:14]))
	if at+length > i.size {
		return nil
	}
	return io.NewSectionReader(i.r, at, length)
}

// longName finds the Rock Ridge name (NM) in the rest of a record; empty when there is none.
func longName(rest []byte, nameLen int) string {
	if nameLen%2 == 0 && len(rest) > 0 { // a padding byte after names of even length
		rest = rest[1:]
	}
	for len(rest) >= 5 {
		length := int(rest[2])
		if length < 4 || length > len(rest) {
			return ""
		}
		if rest[0] == 'N' && rest[1] == 'M' && length > 5 {
			return string(rest[5:length])
		}
		rest = rest[length:]
	}
	return ""
}

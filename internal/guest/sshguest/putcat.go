package sshguest

import (
	"context"
	"crypto/sha256"
	_ "embed" // the scripts
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// catTimeout bounds an upload through cat whose context has no deadline.
const catTimeout = 2 * time.Hour

//go:embed receive.sh
var receiveScript string

//go:embed place.sh
var placeScript string

// putByCat uploads over an exec session, for guests without SFTP.
func (g *Guest) putByCat(ctx context.Context, u *upload) error {
	sum := newSums()
	res, err := g.attempt(ctx, guest.Cmd{
		Name: "upload by cat", Argv: []string{"sh", "-c", receiveScript, "sh", u.temp},
		Stdin: io.TeeReader(u.src, sum), Timeout: catTimeout, Limit: 4096,
	}, nil)
	if err == nil {
		err = u.complete()
	}
	if err == nil {
		err = sum.verify(string(res.Stdout), u.src.n.Load())
	}
	if err == nil {
		_, err = g.attempt(ctx, guest.Cmd{Name: "put the upload in place", Script: placeScript,
			Args: []string{fmt.Sprintf("%o", u.mode), u.temp, u.path}}, nil)
	}
	if err != nil {
		g.discard(ctx, u)
	}
	return err
}

// discard removes what is left of a failed upload, as far as the link and the time allow.
func (g *Guest) discard(ctx context.Context, u *upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	if c, _ := g.current(); c == nil || c.lost() != nil {
		return
	}
	_, _ = g.attempt(ctx, guest.Cmd{Name: "remove a failed upload", Argv: []string{"rm", "-f", u.temp}}, nil)
}

// sums computes both checksums that a guest may answer with.
type sums struct {
	sha hash.Hash
	crc cksum
}

func newSums() *sums { return &sums{sha: sha256.New()} }

// Write never fails.
func (s *sums) Write(p []byte) (int, error) {
	s.sha.Write(p)
	s.crc.add(p)
	return len(p), nil
}

// verify compares the answer of receiveScript with what was sent.
func (s *sums) verify(answer string, sent int64) error {
	f := strings.Fields(answer)
	if len(f) != 3 {
		return fmt.Errorf("the guest did not say what it received, but %q", clean(answer))
	}
	if f[0] != strconv.FormatInt(sent, 10) {
		return fmt.Errorf("the guest holds %s bytes, %d were sent; the disk may be full", clean(f[0]), sent)
	}
	want := hex.EncodeToString(s.sha.Sum(nil))
	if f[1] == "cksum" {
		want = strconv.FormatUint(uint64(s.crc.sum()), 10)
	}
	if f[2] != want {
		return fmt.Errorf("the content was damaged on its way: %s in the guest is %s, expected %s", clean(f[1]), clean(f[2]), want)
	}
	return nil
}

// cksum is the checksum of POSIX cksum: CRC-32 with polynomial 04C11DB7, most significant bit first, over the
// content and then its length.
type cksum struct {
	crc uint32
	n   uint64
}

var cksumTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

func (c *cksum) add(p []byte) {
	for _, b := range p {
		c.crc = c.crc<<8 ^ cksumTable[byte(c.crc>>24)^b]
	}
	c.n += uint64(len(p))
}

func (c *cksum) sum() uint32 {
	crc := c.crc
	for n := c.n; n > 0; n >>= 8 {
		crc = crc<<8 ^ cksumTable[byte(crc>>24)^byte(n)]
	}
	return ^crc
}

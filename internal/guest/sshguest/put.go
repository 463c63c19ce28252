package sshguest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync/atomic"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// errNoSFTP means that the guest has no working SFTP subsystem.
var errNoSFTP = errors.New("the guest has no SFTP")

// Put writes size bytes of r to path, as the login user. The content goes to a temporary name in the same
// folder, is checked there (its size by SFTP, its checksum otherwise) and renamed; whatever goes wrong before
// the rename leaves path untouched. Without SFTP it goes through cat. A size below 0 means: not known.
func (g *Guest) Put(ctx context.Context, path string, mode os.FileMode, r io.Reader, size int64, progress func(int64)) error {
	u := &upload{path: path, mode: mode.Perm(), size: size, src: &counter{r: r, ctx: ctx, progress: progress}}
	err := u.name()
	if err == nil {
		err = g.put(ctx, u)
	}
	if err != nil {
		err = fmt.Errorf("upload to %s: %w", path, err)
	}
	g.logf("upload %s: %d bytes: %v", path, u.src.n.Load(), errText(err))
	return err
}

func errText(err error) string {
	if err == nil {
		return "ok"
	}
	return clean(err.Error())
}

func (g *Guest) put(ctx context.Context, u *upload) error {
	err := g.putBySFTP(ctx, u)
	if errors.Is(err, errNoSFTP) {
		return g.putByCat(ctx, u)
	}
	return err
}

func (g *Guest) putBySFTP(ctx context.Context, u *upload) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	defer g.leave()
	c, client, err := g.sftp(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	defer client.Close()
	if err := u.bySFTP(client); err != nil {
		return u.cut(ctx, c, err)
	}
	return nil
}

// upload is one file on its way.
type upload struct {
	path, temp string
	mode       os.FileMode
	size       int64
	src        *counter
	// renaming is set just before the rename: from then on it may have happened.
	renaming bool
}

// name chooses the temporary name, in the same folder because a rename does not cross file systems.
func (u *upload) name() error {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		return fmt.Errorf("no random numbers: %w", err)
	}
	u.temp = path.Join(path.Dir(u.path), ".boxdoctor-"+hex.EncodeToString(b)+".part")
	return nil
}

// cut explains an error that may come from the end of the context or of the link.
func (u *upload) cut(ctx context.Context, c *conn, err error) error {
	cause := ctx.Err()
	if cause == nil {
		cause = c.lostSoon(err)
	}
	switch {
	case cause == nil:
		return err
	case u.renaming:
		return &guest.OutcomeError{Name: "rename " + u.temp, Cause: cause}
	}
	return fmt.Errorf("cut off after %d bytes, the file is not in place: %w", u.src.n.Load(), cause)
}

// lostSoon is the reason of a lost link when err looks like one.
func (c *conn) lostSoon(err error) error {
	if !isReset(err) && !errors.Is(err, sftp.ErrSSHFxConnectionLost) {
		return c.lost()
	}
	if lost := c.explain(io.EOF); errors.Is(lost, guest.ErrLinkLost) {
		return lost
	}
	return nil
}

func (u *upload) bySFTP(client *sftp.Client) error {
	err := u.write(client)
	if err == nil {
		u.renaming = true
		err = u.rename(client)
	}
	if err != nil {
		_ = client.Remove(u.temp)
	}
	return err
}

func (u *upload) write(client *sftp.Client) error {
	f, err := client.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return fmt.Errorf("create %s: %w", u.temp, err)
	}
	// Closed to others before the first byte is in it; the wanted mode comes at the end.
	if err = client.Chmod(u.temp, 0o600); err == nil {
		_, err = f.ReadFromWithConcurrency(u.src, 0) // 0: as many at a time as the library allows
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := u.complete(); err != nil {
		return err
	}
	fi, err := client.Stat(u.temp)
	if err != nil {
		return err
	}
	if fi.Size() != u.src.n.Load() {
		return fmt.Errorf("the guest holds %d bytes of %s, %d were sent; the disk may be full", fi.Size(), u.temp, u.src.n.Load())
	}
	return client.Chmod(u.temp, u.mode)
}

// complete checks that the source gave what was announced.
func (u *upload) complete() error {
	if u.size >= 0 && u.src.n.Load() != u.size {
		return fmt.Errorf("the source gave %d bytes, expected %d", u.src.n.Load(), u.size)
	}
	return nil
}

func (u *upload) rename(client *sftp.Client) error {
	if _, ok := client.HasExtension("posix-rename@openssh.com"); ok {
		return client.PosixRename(u.temp, u.path)
	}
	// Version 3 of the protocol cannot replace a file.
	if err := client.Remove(u.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return client.Rename(u.temp, u.path)
}

// sftp opens an SFTP session, on a new connection when the old one is lost.
func (g *Guest) sftp(ctx context.Context) (*conn, *sftp.Client, error) {
	for again := false; ; again = true {
		c, err := g.live(ctx)
		if err != nil {
			return nil, nil, err
		}
		client, err := c.sftp(ctx)
		if err == nil || again || c.lost() == nil || ctx.Err() != nil {
			return c, client, err
		}
	}
}

func (c *conn) sftp(ctx context.Context) (*sftp.Client, error) {
	if c.noSFTP.Load() {
		return nil, errNoSFTP
	}
	type result struct {
		client *sftp.Client
		err    error
	}
	done := make(chan result, 1)
	ch := make(chan ssh.Channel, 1)
	go func() {
		client, err := c.startSFTP(ch)
		done <- result{client, err}
	}()
	select {
	case r := <-done:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			select {
			case open := <-ch:
				_ = open.Close()
			case <-c.dead:
			}
		}()
		return nil, ctx.Err()
	}
}

// startSFTP opens the subsystem. opened gets the channel, so that a handshake that hangs can be ended.
func (c *conn) startSFTP(opened chan<- ssh.Channel) (*sftp.Client, error) {
	ch, reqs, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return nil, c.explain(fmt.Errorf("open a session: %w", err))
	}
	opened <- ch
	go ssh.DiscardRequests(reqs)
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	var client *sftp.Client
	if err == nil && ok {
		client, err = sftp.NewClientPipe(ch, ch)
	}
	if client != nil && err == nil {
		return client, nil
	}
	_ = ch.Close()
	if err == nil {
		err = errNo
	}
	if lost := c.explain(err); errors.Is(lost, guest.ErrLinkLost) {
		return nil, lost
	}
	// Refused, no sftp-server behind it, or a .bashrc that talks into the protocol: there is another way.
	c.noSFTP.Store(true)
	return nil, errNoSFTP
}

// counter counts what is read and reports it. It ends with the context.
type counter struct {
	r        io.Reader
	ctx      context.Context
	n        atomic.Int64
	progress func(int64)
}

// Read reads from the source.
func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	total := c.n.Add(int64(n))
	if c.progress != nil && n > 0 {
		c.progress(total)
	}
	return n, err
}

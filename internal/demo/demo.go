// Package demo is the embedded guest of `boxdoctor demo` and of the tests: an SSH and SFTP server in the
// process in front of a scripted CentOS 6 (package el6). boxdoctor's own transport, probe and actions run in
// it unchanged; the guest is a stand-in and says so (Notice).
package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// Notice is what `boxdoctor demo` says about its guest.
const Notice = "The guest is a stand-in inside this process: a real SSH and SFTP server in front of an embedded shell, a file tree in memory and " +
	"scripted programs (yum, rpm, mount, the Guest Additions installer …). boxdoctor's own steps are the real ones."

// Guest is a running embedded guest. Close it.
type Guest struct {
	scene Scene
	os    *el6.Machine
	srv   *sshserver.Server
	dir   string
	key   string
	iso   facts.ISO
}

// Start boots the scene's guest and its SSH server on loopback. The end of ctx ends both; Close also removes
// the files that stand for the host's (the ISO, the key).
func Start(ctx context.Context, scene Scene) (*Guest, error) {
	g := &Guest{scene: scene}
	if err := g.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded guest: %w", err), g.Close())
	}
	return g, nil
}

func (g *Guest) start(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "boxdoctor-demo-")
	if err != nil {
		return err
	}
	g.dir = dir
	if g.iso, err = makeISO(dir, g.scene.HostVersion); err != nil {
		return err
	}
	pub, err := g.makeKey()
	if err != nil {
		return err
	}
	if g.os, err = el6.New(ctx, g.scene.System); err != nil {
		return err
	}
	g.srv, err = sshserver.Start(ctx, sshserver.Options{Handler: handler{g}, User: g.scene.User, Keys: []ssh.PublicKey{pub}})
	if err != nil {
		return err
	}
	g.os.OnReboot = g.rebooting
	return g.prepare(ctx)
}

// prepare runs the scene's first commands as root, such as the mounts that Vagrant made after the boot.
func (g *Guest) prepare(ctx context.Context) error {
	for _, cmd := range g.scene.Prepare {
		if out, code := g.Run(ctx, cmd); code != 0 {
			return fmt.Errorf("the scene's command %q ended with status %d: %s", cmd, code, out)
		}
	}
	return nil
}

func (g *Guest) makeKey() (ssh.PublicKey, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "boxdoctor demo")
	if err != nil {
		return nil, err
	}
	g.key = filepath.Join(g.dir, "private_key")
	if err := os.WriteFile(g.key, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(pub)
}

// rebooting makes the server behave as a machine that is down: links are cut, new ones are reset.
func (g *Guest) rebooting(up bool) {
	if up {
		g.srv.Order(sshserver.Faults{})
		return
	}
	g.srv.Order(sshserver.Faults{ResetAccepts: 1 << 30})
	g.srv.DropAll()
}

// Close ends the server and the guest and removes their files. A partly started guest can be closed too.
func (g *Guest) Close() error {
	var err error
	if g.srv != nil {
		err = g.srv.Close()
	}
	if g.os != nil {
		g.os.Close()
	}
	if g.dir != "" {
		err = errors.Join(err, os.RemoveAll(g.dir))
	}
	return err
}

// Machine identifies the guest for the engine.
func (g *Guest) Machine() facts.Machine {
	return facts.Machine{Name: g.scene.Name, User: g.scene.User, UUID: uuid}
}

// uuid stands for the VirtualBox id of the demo machine.
const uuid = "5b0cd0c7-0000-4000-8000-626f78646f63"

// Host are the facts of the host that belongs to the guest: a VirtualBox that has the machine and its ISO.
func (g *Guest) Host() facts.Host {
	var shares []facts.Share
	for _, f := range g.scene.Folders {
		shares = append(shares, facts.Share{Name: f.Name, HostPath: f.HostPath})
	}
	vbox := facts.VBoxManage{Path: "/usr/bin/VBoxManage", Searched: []string{"/usr/bin/VBoxManage"}, Version: g.scene.HostVersion + "r117224"}
	return facts.Host{
		OS: runtime.GOOS, ProjectRoot: facts.Known(g.scene.Project), VBoxManage: facts.Known(vbox),
		VM:           facts.Known(facts.VM{Name: g.scene.Name, UUID: uuid, State: "running", Shares: shares, AdditionsVersion: g.scene.Reported}),
		Folders:      facts.Known(g.scene.Folders),
		AdditionsISO: facts.Known(g.iso),
		DevVBoxDrv:   facts.Known(true),
		Preflight:    facts.Preflight{Skipped: "this guest is a stand-in that no VirtualBox starts"},
	}
}

// SSH is how to reach the guest.
func (g *Guest) SSH() sshguest.Config {
	return sshguest.Config{Name: g.scene.Name, User: g.scene.User, Host: g.srv.Host(), Port: g.srv.Port(), KeyFiles: []string{g.key},
		HostKeyID: uuid, TrustFirstUse: true, KeyStore: filepath.Join(g.dir, "host-keys"), Timeout: 15 * time.Second,
		Getenv: func(string) string { return "" }}
}

// ISO is the synthetic Guest Additions image on the host's side.
func (g *Guest) ISO() facts.ISO { return g.iso }

// System is the scripted guest behind the server.
func (g *Guest) System() *el6.Machine { return g.os }

// Server is the SSH server, for faults to order. A reboot of the guest resets ordered faults.
func (g *Guest) Server() *sshserver.Server { return g.srv }

// PowerCut ends every process at once, keeps the disk and boots again. It returns when the guest is up.
func (g *Guest) PowerCut() { g.os.PowerCut() }

// DropLinks cuts every SSH connection; the guest runs on.
func (g *Guest) DropLinks() { g.srv.DropAll() }

// Run runs a command line as root without SSH and returns both streams together: for scenes and tests.
func (g *Guest) Run(ctx context.Context, command string) (output string, status int) {
	var b lockedBuffer
	code := g.os.Exec(ctx, "root", command, nil, &b, &b)
	return b.String(), code
}

// handler answers the SSH server.
type handler struct{ g *Guest }

var _ sshserver.Handler = handler{}

// Exec runs a command line in the user's login shell.
func (h handler) Exec(ctx context.Context, s sshserver.Session) int {
	return h.g.os.Exec(ctx, s.User, s.Command, s.Stdin, s.Stdout, s.Stderr)
}

// SFTP serves the tree with the login user's permissions.
func (h handler) SFTP() *sftp.Handlers { return treeHandlers(h.g.os.FS, h.g.scene.User) }

var _ io.Writer = (*lockedBuffer)(nil)

// CopyISO puts the host's ISO into the guest, as an upload would: for tests of the installer alone.
func (g *Guest) CopyISO(to string) error {
	data, err := os.ReadFile(g.iso.Path)
	if err != nil {
		return err
	}
	return g.os.FS.WriteFile(memfs.Root, to, data, 0o600)
}

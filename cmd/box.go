package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/box"
	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// boxOptions are those of `boxdoctor box url` and `boxdoctor box get`.
type boxOptions struct {
	Name   string
	Want   box.Want
	Format string
	// To is the folder for the file; Add hands it to Vagrant.
	To  string
	Add bool
}

// foundBox is the JSON form of docs/schema/box.json.
type foundBox struct {
	SchemaVersion int       `json:"schema_version"`
	Name          string    `json:"name"`
	Version       string    `json:"version"`
	Provider      string    `json:"provider"`
	Architecture  string    `json:"architecture"`
	URL           string    `json:"url"`
	Checksum      *checksum `json:"checksum"`
	MetadataURL   string    `json:"metadata_url"`
	// Installed is where Vagrant has the box already; then nothing is downloaded for --add.
	Installed string   `json:"installed"`
	File      *boxFile `json:"file"`
}

type checksum struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// boxFile is what was downloaded.
type boxFile struct {
	Path string `json:"path"`
	// Metadata leads to Path and is what `vagrant box add` takes.
	Metadata string   `json:"metadata"`
	Size     int64    `json:"size"`
	Checksum checksum `json:"checksum"`
	Proven   bool     `json:"proven"`
	Added    bool     `json:"added"`
}

const boxLong = `Finds the file that belongs to a box, and downloads it, for networks in which "vagrant up" hangs or fails at that. The registry is
that of VAGRANT_SERVER_URL, else Vagrant's own; VAGRANT_CLOUD_TOKEN is sent to it and to nobody else. HTTPS_PROXY, HTTP_PROXY, NO_PROXY
and CURL_CA_BUNDLE or SSL_CERT_FILE are honoured.`

const boxExits = `
Exit codes: 0 found or downloaded; 1 the box, version, provider or architecture does not exist, or the file is not what it should
be; 2 usage error; 3 the registry could not be reached; 130 interrupted.`

func newBoxCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "box url|get", Short: "Find out where a box comes from, or download it", Long: boxLong,
		Example: "  boxdoctor box url bento/ubuntu-24.04\n  boxdoctor box get bento/ubuntu-24.04 --add",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("box needs one word: url or get").withHint("Help: boxdoctor box --help")
			}
			return unknown("command", "box "+args[0], []string{"box url", "box get"})
		},
	}
	c.AddCommand(newBoxURLCmd(a), newBoxGetCmd(a))
	return c
}

func newBoxURLCmd(a *app) *cobra.Command {
	o := &boxOptions{}
	c := &cobra.Command{
		Use: "url ORG/NAME", Short: "Print the address and the checksum of a box's file",
		Long:    `Asks the registry for the metadata of a box and prints the address and the checksum of the file that Vagrant would download.` + boxExits,
		Example: "  boxdoctor box url bento/ubuntu-24.04\n  boxdoctor box url generic/rocky9 --version '~> 4.3' --provider libvirt\n  boxdoctor box url bento/debian-12 --format json | jq -r .url",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withBox(c, o, args, a.runBoxURL)
		},
	}
	o.flags(c)
	return c
}

func newBoxGetCmd(a *app) *cobra.Command {
	o := &boxOptions{}
	c := &cobra.Command{
		Use: "get ORG/NAME", Short: "Download a box; what was begun is gone on with",
		Long: `Downloads the file that Vagrant would. What a cut connection or Ctrl-C leaves is kept, and the same command goes on from there. The
checksum of the registry is compared, and the file gets its name only then. Beside it lies metadata with which "vagrant box add" keeps name and
version; --add runs that, and removes the download afterwards.` + boxExits,
		Example: "  boxdoctor box get bento/ubuntu-24.04 --add\n  boxdoctor box get generic/rocky9 --version 4.3.12 --to /srv/boxes",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withBox(c, o, args, a.runBoxGet)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.To, "to", "", "download into `FOLDER` (default: this one; with --add boxdoctor's own)")
	c.Flags().BoolVar(&o.Add, "add", false, "run \"vagrant box add\" with what was downloaded")
	return c
}

func (o *boxOptions) flags(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&o.Want.Version, "version", "", "a `CONDITION` as config.vm.box_version has it (default: the newest)")
	fs.StringVar(&o.Want.Provider, "provider", "virtualbox", "for this `PROVIDER`")
	fs.StringVar(&o.Want.Architecture, "arch", box.Auto, "for this `ARCHITECTURE`; auto is this computer's")
	fs.StringVar(&o.Format, "format", report.FormatText, "`FORMAT` is text or json")
}

// withBox checks the command line and runs.
func (a *app) withBox(c *cobra.Command, o *boxOptions, args []string, run func(context.Context, *boxOptions) error) error {
	if err := emptyFlag(c); err != nil {
		return err
	}
	if len(args) != 1 {
		return usagef("%s needs one box: ORG/NAME", c.CommandPath()).withHint("Help: %s --help", c.CommandPath())
	}
	if !box.ValidName(args[0]) {
		return usagef("%q is no name of a box in a registry", args[0]).withHint("Such a name is ORGANISATION/NAME: bento/ubuntu-24.04")
	}
	if err := validFormat(o.Format); err != nil {
		return err
	}
	o.Name = args[0]
	o.Want.Host = hostArchitecture(a.getenv)
	return run(c.Context(), o)
}

// hostArchitecture is Vagrant's name for the architecture of this computer.
func hostArchitecture(getenv func(string) string) string {
	name := map[string]string{"386": "i386"}[runtime.GOARCH]
	return cmp.Or(getenv("VAGRANT_HOST_ARCHITECTURE"), name, runtime.GOARCH)
}

// runBoxURL prints where a box comes from.
func (a *app) runBoxURL(ctx context.Context, o *boxOptions) error {
	s := a.begin(ctx, "box", 0, stopDownload)
	choice, err := a.lookup(s, o)
	if err := s.done(err); err != nil {
		return err
	}
	found := newFoundBox(choice)
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, found)
	}
	return a.print(found.text())
}

// lookup asks the registry.
func (a *app) lookup(s *session, o *boxOptions) (box.Choice, error) {
	opts, err := a.transfers(s, "box")
	if err != nil {
		return box.Choice{}, err
	}
	s.progress.Set("box", "asking the registry")
	defer s.progress.Set("box", "")
	r := box.Registry{Server: cmp.Or(a.getenv("VAGRANT_SERVER_URL"), box.DefaultServer), Token: a.getenv("VAGRANT_CLOUD_TOKEN")}
	m, from, err := r.Lookup(s.Soft, o.Name, opts)
	if err != nil {
		return box.Choice{}, err
	}
	choice, err := m.Choose(o.Want)
	choice.MetadataURL = from
	return choice, err
}

// transfers are the options of every download: proxy, certificates, and what is told on the way.
func (a *app) transfers(s *session, what string) (download.Options, error) {
	client, err := a.client(a.getenv)
	if err != nil {
		return download.Options{}, usagef("%v", err)
	}
	return download.Options{Client: client, Progress: s.progress.Transfer(what, "downloading"),
		Note: func(text string) { s.logf(what, "%s", text); a.say(what + ": " + report.Clean(text)) }}, nil
}

func newFoundBox(c box.Choice) foundBox {
	f := foundBox{SchemaVersion: 1, Name: c.Name, Version: c.Version, Provider: c.Provider.Name, Architecture: c.Provider.Architecture,
		URL: c.Provider.URL, MetadataURL: c.MetadataURL}
	if !c.Sum.IsZero() {
		f.Checksum = &checksum{c.Sum.Kind, c.Sum.Hex}
	}
	return f
}

// text is the box for people; what the registry says is cleaned.
func (f foundBox) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s for %s", f.Name, f.Version, f.Provider)
	if f.Architecture != "" {
		fmt.Fprintf(&b, ", architecture %s", f.Architecture)
	}
	fmt.Fprintf(&b, "\n  url       %s\n", f.URL)
	sum := "none: the registry gives none, so a download cannot be proven"
	if f.Checksum != nil {
		sum = f.Checksum.Type + " " + f.Checksum.Value
	}
	if f.Installed != "" {
		fmt.Fprintf(&b, "  installed %s\n  Vagrant has it already: nothing was downloaded\n", f.Installed)
		return report.Clean(b.String())
	}
	if f.File == nil {
		fmt.Fprintf(&b, "  checksum  %s\n", sum)
		return report.Clean(b.String())
	}
	if !f.File.Proven {
		sum = fmt.Sprintf("the registry gives none; what arrived has %s %s", f.File.Checksum.Type, f.File.Checksum.Value)
	}
	if f.File.Added {
		fmt.Fprintf(&b, "  checksum  %s\n  added     vagrant box list shows it; the download was removed\n", sum)
		return report.Clean(b.String())
	}
	fmt.Fprintf(&b, "  file      %s (%d bytes)\n  checksum  %s\n  run       %s\n", f.File.Path, f.File.Size, sum, shell.Join([]string{"vagrant", "box", "add", f.File.Metadata}))
	return report.Clean(b.String())
}

// runBoxGet downloads a box.
func (a *app) runBoxGet(ctx context.Context, o *boxOptions) error {
	s := a.begin(ctx, "box", 0, stopDownload)
	found, err := a.getBox(s, o)
	if err := s.done(err); err != nil {
		return err
	}
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, found)
	}
	return a.print(found.text())
}

func (a *app) getBox(s *session, o *boxOptions) (foundBox, error) {
	if o.Add {
		if _, err := a.vagrant(); err != nil {
			return foundBox{}, err
		}
	}
	choice, err := a.lookup(s, o)
	if err != nil {
		return foundBox{}, err
	}
	found := newFoundBox(choice)
	if o.Add {
		if found.Installed = choice.Installed(a.vagrantHome()); found.Installed != "" {
			return found, nil
		}
	}
	dir, err := a.boxFolder(o)
	if err != nil {
		return found, err
	}
	found.File, err = a.fetchBox(s, choice, filepath.Join(dir, choice.FileName()))
	if err == nil && o.Add {
		err = a.addBox(s, choice, o, found.File)
	}
	return found, err
}

// boxFolder is where downloads go.
func (a *app) boxFolder(o *boxOptions) (string, error) {
	dir := cmp.Or(o.To, ".")
	if o.Add && o.To == "" {
		dir = filepath.Join(stateDir(a.getenv), "boxes")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the folder for the download: %w", err)
	}
	return dir, nil
}

// maxBox bounds a box: the largest in public have about 30 GB.
const maxBox = 100 << 30

// fetchBox downloads the file and writes the metadata that leads to it.
func (a *app) fetchBox(s *session, c box.Choice, path string) (*boxFile, error) {
	opts, err := a.transfers(s, "box")
	if err != nil {
		return nil, err
	}
	file := download.File{URL: c.Provider.URL, Path: path, Sum: c.Sum, Max: maxBox}
	if sameServer(c.MetadataURL, c.Provider.URL) {
		file.Token = a.getenv("VAGRANT_CLOUD_TOKEN")
	}
	got, err := download.Get(s.Soft, file, opts)
	s.progress.Set("box", "")
	if err != nil {
		return nil, err
	}
	local, err := c.Local(path)
	if err != nil {
		return nil, err
	}
	metadata := strings.TrimSuffix(path, ".box") + ".json"
	if err := os.WriteFile(metadata, append(local, '\n'), 0o644); err != nil {
		return nil, fmt.Errorf("the box was downloaded to %s, but the metadata beside it could not be written: %w", path, err)
	}
	return &boxFile{Path: path, Metadata: metadata, Size: got.Size, Checksum: checksum{got.Sum.Kind, got.Sum.Hex}, Proven: got.Proven}, nil
}

// vagrant finds the program.
func (a *app) vagrant() (string, error) {
	path, err := a.lookPath("vagrant")
	if err != nil {
		return "", usagef("--add needs vagrant, which is not in PATH").withHint("Leave --add out, and run the printed command where Vagrant is")
	}
	return path, nil
}

// addBox hands the file to Vagrant, with its own words on the screen, and removes the download.
func (a *app) addBox(s *session, c box.Choice, o *boxOptions, f *boxFile) error {
	path, err := a.vagrant()
	if err != nil {
		return err
	}
	argv := []string{"box", "add", f.Metadata}
	if o.Want.Architecture != box.Auto { // Vagrant before 2.4.0 does not know the option
		argv = append(argv, "--architecture", o.Want.Architecture)
	}
	s.progress.Set("box", "")
	if err := a.runVagrant(s.Soft, path, argv); err != nil {
		if s.Soft.Err() != nil {
			return s.Soft.Err()
		}
		return &failure{finding.ExitFailed, fmt.Errorf("vagrant box add failed (%w): its own words stand above. The download is kept; again: %s",
			err, shell.Join(append([]string{"vagrant"}, argv...)))}
	}
	f.Added = true
	err = c.KeepOrigin(a.vagrantHome(), f.Metadata)
	return errors.Join(err, os.Remove(f.Path), os.Remove(f.Metadata))
}

// runVagrant runs the real program. Its output goes to stderr: stdout belongs to the report.
func (a *app) runVagrant(ctx context.Context, path string, argv []string) error {
	c := exec.CommandContext(ctx, path, argv...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, a.streams.Err, a.streams.Err
	return c.Run()
}

// vagrantHome is the folder in which Vagrant keeps boxes.
func (a *app) vagrantHome() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then only VAGRANT_HOME leads anywhere
	}
	return cmp.Or(a.getenv("VAGRANT_HOME"), filepath.Join(home, ".vagrant.d"))
}

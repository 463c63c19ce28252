package cmd

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// isoOptions are those of `boxdoctor iso get`.
type isoOptions struct {
	Version, To, Format string
}

// foundISO is the JSON form of docs/schema/iso.json.
type foundISO struct {
	SchemaVersion int    `json:"schema_version"`
	Version       string `json:"version"`
	Path          string `json:"path"`
	SHA256        string `json:"sha256"`
	Size          int64  `json:"size"`
	Source        string `json:"source"`
}

func newISOCmd(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "iso get", Short: "Download a Guest Additions image and prove it",
		Long:    `Downloads the Guest Additions image of a version of VirtualBox from where Oracle publishes it.`,
		Example: "  boxdoctor iso get 7.0.20",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("iso needs a word: get").withHint("boxdoctor iso get 7.0.20")
			}
			return unknown("command", "iso "+args[0], []string{"iso get"})
		},
	}
	c.AddCommand(newISOGetCmd(a))
	return c
}

func newISOGetCmd(a *app) *cobra.Command {
	o := &isoOptions{}
	c := &cobra.Command{
		Use: "get VERSION", Short: "Download the Guest Additions image of a version of VirtualBox",
		Long: `Downloads VBoxGuestAdditions_VERSION.iso. Its SHA-256 must be the one that Oracle's list names, and the version inside the image must be
the one that was asked for. What a cut connection or Ctrl-C leaves is kept, and the same command goes on from there. HTTPS_PROXY, HTTP_PROXY, NO_PROXY
and CURL_CA_BUNDLE or SSL_CERT_FILE are honoured.`,
		Example: "  boxdoctor iso get 7.0.20\n  boxdoctor iso get 7.0.20 --to ~/Downloads",
		RunE: func(c *cobra.Command, args []string) error {
			if err := emptyFlag(c); err != nil {
				return err
			}
			if len(args) != 1 {
				return usagef("iso get needs one version of VirtualBox").withHint("boxdoctor iso get 7.0.20")
			}
			if _, err := version.ParseVBox(args[0]); err != nil {
				return usagef("iso get: %v", err)
			}
			o.Version = args[0]
			if err := validFormat(o.Format); err != nil {
				return err
			}
			return a.runISOGet(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.To, "to", "", "download into `FOLDER` (default: boxdoctor's own)")
	c.Flags().StringVar(&o.Format, "format", report.FormatText, "`FORMAT` is text or json")
	return c
}

// runISOGet downloads an image.
func (a *app) runISOGet(ctx context.Context, o *isoOptions) error {
	s := a.begin(ctx, "iso", 0, stopDownload)
	iso, err := a.getISO(s, o)
	if err := s.done(err); err != nil {
		return err
	}
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, foundISO{1, iso.Version, iso.Path, iso.SHA256, iso.Size, iso.Source})
	}
	return a.print(report.Clean(fmt.Sprintf("Guest Additions %s\n  file      %s (%d bytes)\n  checksum  sha256 %s\n  from      %s\n  run       boxdoctor fix --iso %s\n",
		iso.Version, iso.Path, iso.Size, iso.SHA256, iso.Source, shell.Quote(iso.Path))))
}

func (a *app) getISO(s *session, o *isoOptions) (facts.ISO, error) {
	opts, err := a.transfers(s, "iso")
	if err != nil {
		return facts.ISO{}, err
	}
	dir := o.To
	if dir == "" {
		dir = filepath.Join(stateDir(a.getenv), "iso")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return facts.ISO{}, fmt.Errorf("the folder for the download: %w", err)
	}
	return a.download(s.Soft, o.Version, dir, host.Download{Base: a.getenv(isoBaseEnv), Options: opts})
}

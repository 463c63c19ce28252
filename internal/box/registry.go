package box

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/download"
)

const (
	// DefaultServer is the registry that Vagrant asks.
	DefaultServer = "https://vagrantcloud.com"
	// maxMetadata is the size from which Vagrant no longer takes a file for metadata.
	maxMetadata = 20 << 20
)

// names are those that a registry has.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidName tells whether a text can be the name of a box in a registry.
func ValidName(s string) bool { return len(s) <= 200 && names.MatchString(s) }

// Registry is where metadata comes from.
type Registry struct {
	// Server is the address, such as DefaultServer.
	Server string
	// Token goes to this server only.
	Token string
}

// Lookup asks for the metadata of a box: at the address that Vagrant has asked since 2.4.0, then at the older one.
func (r Registry) Lookup(ctx context.Context, name string, o download.Options) (Metadata, string, error) {
	server, err := url.Parse(r.Server)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return Metadata{}, "", fmt.Errorf("VAGRANT_SERVER_URL is %q, which is no address of a registry; such an address is %s", download.Shown(r.Server), DefaultServer)
	}
	base := strings.TrimRight(r.Server, "/")
	first := base + "/api/v2/vagrant/" + name
	m, err := r.read(ctx, first, name, o)
	var status *download.StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		second := base + "/" + name
		if m, err2 := r.read(ctx, second, name, o); err2 == nil {
			return m, second, nil
		}
		return Metadata{}, "", r.notFound(name, err)
	}
	return m, first, err
}

func (r Registry) notFound(name string, err error) error {
	login := "If it is private, give a token in VAGRANT_CLOUD_TOKEN (vagrant cloud auth login)."
	if r.Token != "" {
		login = "If it is private, the token of VAGRANT_CLOUD_TOKEN may not see it."
	}
	return &NotThereError{fmt.Sprintf("the registry %s has no box %s (%v)", download.Shown(r.Server), name, err),
		"Look at the spelling: ORGANISATION/NAME. " + login + " Another registry: VAGRANT_SERVER_URL."}
}

func (r Registry) read(ctx context.Context, address, name string, o download.Options) (Metadata, error) {
	body, contentType, err := download.Read(ctx, download.Document{URL: address, Accept: "application/json", Max: maxMetadata, Token: r.Token}, o)
	if err != nil {
		return Metadata{}, err
	}
	m, err := parseMetadata(body, name)
	if err != nil {
		return m, &MetadataError{URL: download.Shown(address), Type: mediaType(contentType, body), Title: title(body), Cause: err}
	}
	return m, nil
}

// MetadataError says that what a registry sent is no metadata.
type MetadataError struct {
	URL, Type, Title string
	Cause            error
}

// Error says what came instead.
func (e *MetadataError) Error() string {
	if strings.HasPrefix(e.Type, "text/html") {
		return fmt.Sprintf("%s: the registry sent a web page%s instead of metadata in JSON: a login page, or that of a proxy. Open the address in a browser to see which; a proxy belongs into HTTPS_PROXY",
			e.URL, e.Title)
	}
	return fmt.Sprintf("%s: what the registry sent (%s) cannot be used: %v. Look at VAGRANT_SERVER_URL", e.URL, e.Type, e.Cause)
}

// Unwrap is what is wrong with it.
func (e *MetadataError) Unwrap() error { return e.Cause }

// mediaType is the type by the header, but a page is one whatever its header says.
func mediaType(header string, body []byte) string {
	if sniffed := http.DetectContentType(body[:min(len(body), 512)]); strings.HasPrefix(sniffed, "text/html") {
		return sniffed
	}
	if t, _, err := mime.ParseMediaType(header); err == nil {
		return t
	}
	return "of no type"
}

var titles = regexp.MustCompile(`(?is)<title[^>]*>([^<]{1,200})`)

// title is the title of a web page, for people.
func title(body []byte) string {
	m := titles.FindSubmatch(body[:min(len(body), 64<<10)])
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" (%.80q)", strings.Join(strings.Fields(string(m[1])), " "))
}

package download

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer that is not the file.
type StatusError struct {
	URL    string
	Status string
	Code   int
	// After is how long the server asks to wait.
	After time.Duration
}

// Error names the answer and what usually is behind it.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server answered %s%s", e.URL, e.Status, hint(e.Code))
}

func hint(code int) string {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return " (it wants a login, or a proxy forbids it)"
	case http.StatusNotFound, http.StatusGone:
		return " (there is no such file, or it is private)"
	case http.StatusTooManyRequests:
		return " (too many requests; wait some minutes)"
	case http.StatusProxyAuthRequired:
		return " (the proxy wants a login: put it into HTTPS_PROXY)"
	}
	return ""
}

// temporary tells whether another try may help.
func (e *StatusError) temporary() bool {
	return e.Code >= 500 && e.Code != http.StatusNotImplemented || e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout
}

// maxAfter bounds how long a server can make a run wait.
const maxAfter = time.Minute

func statusError(address string, resp *http.Response) *StatusError {
	e := &StatusError{URL: address, Status: resp.Status, Code: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = min(time.Duration(s)*time.Second, maxAfter)
	}
	return e
}

// errHeld says that another run writes the same file.
var errHeld = errors.New("held by another run")

// final marks an error that another try cannot mend.
type final struct{ error }

// Unwrap is the marked error.
func (f final) Unwrap() error { return f.error }

// unusable marks an error because of which what was fetched is no use either.
type unusable struct{ error }

// Unwrap is the marked error.
func (u unusable) Unwrap() error { return u.error }

// isFinal tells whether another try cannot mend an error.
func isFinal(err error) bool {
	var marked final
	var useless unusable
	var status *StatusError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var dns *net.DNSError
	switch {
	case errors.As(err, &marked), errors.As(err, &useless), errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host):
		return true
	case errors.As(err, &status):
		return !status.temporary()
	case errors.As(err, &dns):
		return dns.IsNotFound
	}
	return false
}

// because prefers the reason for which a context was cancelled to the "context canceled" of the library.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && ctx.Err() != nil {
		return cause
	}
	return err
}

// Shown is an address for people and logs: without a password or token in it.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(an address that cannot be read)"
	}
	query := u.Query()
	for key := range query {
		if secret.MatchString(key) {
			query.Set(key, "xxxxx")
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}

// secret are names of parameters whose value is nobody's business.
var secret = regexp.MustCompile(`(?i)token|password|secret|signature|credential`)

// explain says of an error of the connection what to look at.
func explain(address string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address is told once, and without what a redirect put into it
	}
	host := Shown(address)
	if parsed, perr := url.Parse(address); perr == nil && parsed.Host != "" {
		host = parsed.Host
	}
	var unknown x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case errors.As(err, &unknown) || errors.As(err, &verify):
		return fmt.Errorf("%s: its certificate is not trusted (%w); if a proxy looks into TLS, give its certificate with CURL_CA_BUNDLE=FILE, as Vagrant needs it, too", host, err)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: the name is not known here (%w); look at the network, and at HTTPS_PROXY if there is a proxy", host, err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return final{fmt.Errorf("%s: it does not speak TLS at this address (%w)", host, err)}
	}
	return fmt.Errorf("%s: %w", host, err)
}

package download

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// UserAgent is how boxdoctor names itself to servers.
const UserAgent = "boxdoctor"

// NewClient returns a client that goes through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY, trusts the certificates of
// CURL_CA_BUNDLE or SSL_CERT_FILE instead of the system's, as curl does, which Vagrant downloads with, and never follows a redirect from https
// to http. Error: a bundle that cannot be used.
func NewClient(getenv func(string) string) (*http.Client, error) {
	roots, err := roots(getenv)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2:     true,
			// One connection for each try: a server that sends more than it announced would talk into the next one.
			DisableKeepAlives: true,
		},
		CheckRedirect: checkRedirect,
	}, nil
}

// roots are the certificates to trust; nil: the system's.
func roots(getenv func(string) string) (*x509.CertPool, error) {
	for _, name := range []string{"CURL_CA_BUNDLE", "SSL_CERT_FILE"} {
		path := getenv(name)
		if path == "" {
			continue
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s names a bundle of certificates that cannot be read: %w; mend or unset it", name, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s names %s, which holds no certificate in PEM; mend or unset it", name, path)
		}
		return pool, nil
	}
	return nil, nil
}

// maxRedirects is how often an answer may point elsewhere.
const maxRedirects = 10

func checkRedirect(to *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return final{fmt.Errorf("more than %d redirects", maxRedirects)}
	}
	if via[len(via)-1].URL.Scheme == "https" && to.URL.Scheme != "https" {
		return final{fmt.Errorf("redirected from https to %s://%s, which anybody on the way could change: not followed", to.URL.Scheme, to.URL.Host)}
	}
	if to.URL.Scheme != "https" && to.URL.Scheme != "http" {
		return final{errors.New("redirected to " + to.URL.Scheme + ", which is not followed")}
	}
	return nil
}

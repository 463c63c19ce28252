package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/retry"
)

// Document is a small file that is read into memory: a list of checksums, metadata.
type Document struct {
	URL string
	// Accept is the type to ask for.
	Accept string
	// Max bounds the size in bytes.
	Max int64
	// Token is sent as a bearer token to the host of URL, and to no other one.
	Token string
}

// Read fetches a document and tells its type. What may pass is tried three times. Errors: *StatusError.
func Read(ctx context.Context, d Document, o Options) (body []byte, contentType string, err error) {
	if o.Stall == 0 {
		o.Stall = Stall
	}
	tries := 0
	err = retry.Loop{First: time.Second, Max: 5 * time.Second, Clock: o.Clock}.Do(ctx, func(ctx context.Context) error {
		var err error
		body, contentType, err = d.try(ctx, o)
		if tries++; err != nil && (isFinal(err) || tries == 3) {
			return retry.Permanent(err)
		}
		return err
	})
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return body, contentType, err
}

func (d Document) try(ctx context.Context, o Options) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*o.Stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return nil, "", final{fmt.Errorf("%q is no address", Shown(d.URL))}
	}
	req.Header.Set("User-Agent", UserAgent)
	if d.Accept != "" {
		req.Header.Set("Accept", d.Accept)
	}
	if d.Token != "" {
		req.Header.Set("Authorization", "Bearer "+d.Token)
	}
	resp, err := o.Client.Do(req)
	if err != nil {
		return nil, "", timely(ctx, explain(d.URL, err), 2*o.Stall)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", statusError(Shown(d.URL), resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, d.Max+1))
	if err != nil {
		return nil, "", timely(ctx, fmt.Errorf("%s: %w", Shown(d.URL), err), 2*o.Stall)
	}
	if int64(len(body)) > d.Max {
		return nil, "", final{fmt.Errorf("%s: the answer is larger than the %d bytes that such a document can have", Shown(d.URL), d.Max)}
	}
	return body, resp.Header.Get("Content-Type"), nil
}

// timely says of an error that the time was up.
func timely(ctx context.Context, err error, limit time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", limit, err)
	}
	return err
}

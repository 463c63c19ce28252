package download

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// part is an unfinished file with what must be known to go on with it.
type part struct {
	path, state string

	// URL is the hash of the address, which may carry a token, and Sum what the file must have; of anything else nothing is
	// taken over.
	URL string   `json:"url_sha256"`
	Sum Checksum `json:"sum"`
	// Validator is the ETag, else the time of the last change: what If-Range compares. Without it nothing can be gone on with.
	Validator string `json:"validator"`
	Total     int64  `json:"total"`
}

// openPart looks for what an earlier run left. What cannot be gone on with is thrown away.
func openPart(path, url string, sum Checksum) part {
	p := part{path: path + partSuffix, state: path + stateSuffix}
	var old part
	b, err := os.ReadFile(p.state)
	if err == nil {
		err = json.Unmarshal(b, &old)
	}
	h := sha256.Sum256([]byte(url))
	p.URL, p.Sum = hex.EncodeToString(h[:]), sum
	if err != nil || old.URL != p.URL || old.Sum != sum || old.Validator == "" {
		p.discard()
		return p
	}
	p.Validator, p.Total = old.Validator, old.Total
	return p
}

func (p part) size() int64 {
	info, err := os.Stat(p.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// begin notes what an answer says of the file.
func (p *part) begin(resp *http.Response, total int64) error {
	if v := validator(resp); v != "" || resp.StatusCode == http.StatusOK {
		p.Validator = v
	}
	p.Total = total
	b, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(p.state, b, 0o600)
	}
	if err != nil {
		return final{err}
	}
	return nil
}

// validator is a strong ETag, else the date of the last change. A weak ETag cannot be used for ranges (RFC 9110, 13.1.5).
func validator(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}

func (p *part) empty() {
	p.discard()
	p.Validator, p.Total = "", 0
}

func (p part) discard() {
	_ = os.Remove(p.path) // what is not there is gone
	_ = os.Remove(p.state)
}

// contentRange reads "bytes 5-9/10" and "bytes */10"; total is -1 when it is not told.
func contentRange(s string) (start, total int64, ok bool) {
	s, found := strings.CutPrefix(s, "bytes ")
	place, all, found2 := strings.Cut(s, "/")
	if !found || !found2 {
		return 0, -1, false
	}
	total, err := strconv.ParseInt(all, 10, 64)
	if err != nil {
		total = -1
	}
	first, _, _ := strings.Cut(place, "-")
	start, err = strconv.ParseInt(first, 10, 64)
	return start, total, err == nil
}

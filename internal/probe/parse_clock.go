package probe

import (
	"fmt"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// clockFiller compares the guest's clock with the middle between the start of the step and the arrival of the
// section's end line: the guest read its clock somewhere in between, so half of that time is the uncertainty.
func clockFiller(g *facts.Guest, s section, o outcome) {
	into(func(g *facts.Guest) *facts.Value[facts.Clock] { return &g.Clock }, func(b body) (facts.Clock, error) {
		guest, unsure, err := parseNow(b.text("now"))
		if err != nil {
			return facts.Clock{}, err
		}
		half := o.arrived.Sub(o.start) / 2
		return facts.Clock{Guest: guest, Skew: guest.Sub(o.start.Add(half)), Slack: half + unsure}, nil
	})(g, s, o)
}

// parseNow reads "SECONDS NANOSECONDS". A date without %N leaves the letter or nothing: then the time is the
// middle of that second, known to half a second.
func parseNow(s string) (time.Time, time.Duration, error) {
	sec, nano, _ := strings.Cut(s, " ")
	n := number(sec, -1)
	if n < 0 || n > 1<<40 {
		return time.Time{}, 0, fmt.Errorf("date +%%s printed %.40q, expected the seconds since 1970", s)
	}
	if ns := number(strings.TrimLeft(nano, "0"), -1); len(nano) == 9 && (ns >= 0 || strings.Trim(nano, "0") == "") {
		return time.Unix(int64(n), int64(max(ns, 0))).UTC(), 0, nil
	}
	return time.Unix(int64(n), int64(500*time.Millisecond)).UTC(), 500 * time.Millisecond, nil
}

package fixes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

var _ = register(Fix{
	ID: "repositories.archive", Title: "Point the repositories of an ended release at its archive", Impact: ChangesPackages,
	Clears: []string{"repositories.end_of_life", "repositories.answer"},
	After:  []string{"locks.restore"},
	Rows:   []string{"L9", "L10", "L11", "L12", "L13", "L18"},
	Why: "The packages of an ended release are still there, in the vendor's archive. Each repository file is backed up and rewritten line by line; " +
		"gpgcheck and keys stay as they are.",
	Plan: planArchive,
})

func planArchive(in Input) ([]action.Action, error) {
	sys, err := in.Facts.Guest.System.Get()
	if err != nil {
		return nil, err
	}
	repos, err := in.Facts.Guest.Repos.Get()
	if err != nil {
		return nil, err
	}
	eol, past := knowledge.EndOfLife(sys.ID, sys.VersionID)
	if !past {
		return nil, nil
	}
	var out []action.Action
	eol = eol.Of(sys.Pretty)
	silent := filesOf(assess.Unanswered(sys, repos, in.Facts.Guest.Resolve.Or(facts.Resolve{})))
	for _, file := range unique(append(filesOf(assess.MovedRepos(sys, repos)), silent...)) {
		i := slices.IndexFunc(repos.Files, func(c facts.ConfigFile) bool { return c.Path == file })
		if i < 0 {
			return nil, fmt.Errorf("the repository file %s could not be read, so it is not rewritten", file)
		}
		now := archived(sys, eol, repos.Files[i].Content)
		if slices.Contains(silent, file) {
			now = lastMinor(eol, now)
		}
		if now != repos.Files[i].Content {
			out = append(out, replaceFile(in, repos.Files[i], now))
		}
	}
	if len(out) > 0 && sys.Manager == "apt" {
		out = append(out, refreshJob(in))
	}
	return out, nil
}

func refreshJob(in Input) action.Job {
	return action.Job{Name: "fetch the package lists", Lib: lib, Script: "wait_idle\n" + refreshApt(in), Timeout: 10 * time.Minute,
		Stays: "apt's package lists are newer, which harms nothing"}
}

var _ = register(Fix{
	ID: "repositories.refresh", Title: "Fetch apt's package lists", Impact: Harmless,
	Clears: []string{"repositories.answer"},
	After:  []string{"locks.restore", "repositories.archive"},
	Rows:   []string{"L16"},
	Why:    "Many boxes of Debian and Ubuntu ship without package lists, and then apt knows no package at all: `Unable to locate package`.",
	Plan:   planRefresh,
})

func planRefresh(in Input) ([]action.Action, error) {
	res, err := in.Facts.Guest.Resolve.Get()
	if err != nil || manager(in) != "apt" {
		return nil, err
	}
	if !slices.ContainsFunc(res.Candidates, func(c facts.Candidate) bool { return c.State == facts.CandError }) {
		return nil, nil
	}
	return []action.Action{refreshJob(in)}, nil
}

func filesOf(repos []facts.Repo) []string {
	var out []string
	for _, r := range repos {
		out = append(out, r.File)
	}
	return unique(out)
}

// unique keeps the first of each.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// replaceFile writes a new content over exactly the content that was observed.
func replaceFile(in Input, old facts.ConfigFile, content string) action.PutFile {
	sum := sha256.Sum256([]byte(old.Content))
	mode := os.FileMode(0o644)
	if m, err := strconv.ParseUint(old.Mode, 8, 32); err == nil {
		mode = os.FileMode(m).Perm()
	}
	return action.PutFile{Path: old.Path, Mode: mode, Content: content, WasSHA256: hex.EncodeToString(sum[:]),
		Backup: action.BackupRoot + "/" + in.RunID + old.Path}
}

package probe

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

func parseKernel(b body) (facts.Kernel, error) {
	k := facts.Kernel{Running: b.text("running"), BootImages: b.texts("image"), RebootRequired: b.yes("rebootrequired"), Trees: trees(b)}
	if k.Running == "" {
		return k, errors.New("uname -r printed nothing: " + b.said())
	}
	if _, text, ok := strings.Cut(b.text("compiler"), "="); ok {
		k.Compiler = unquote(text)
	}
	slices.SortFunc(k.BootImages, version.CompareKernels)
	k.Default, k.DefaultFrom = defaultKernel(b, k.BootImages)
	return k, nil
}

// trees reads the facts of each folder of /lib/modules, which follow its "tree" line.
func trees(b body) []facts.KernelTree {
	out := []facts.KernelTree{}
	for _, f := range b.facts {
		if f.name == "tree" {
			out = append(out, facts.KernelTree{Release: f.text(), Misc: []string{}, InTree: []string{}})
		}
		if n := len(out); n > 0 {
			treeFact(&out[n-1], f)
		}
	}
	if f, ok := b.first("vbox"); ok {
		for _, file := range f.cleaned() {
			sortModule(out, file)
		}
	}
	slices.SortFunc(out, func(a, b facts.KernelTree) int { return strings.Compare(a.Release, b.Release) })
	return out
}

func treeFact(t *facts.KernelTree, f fact) {
	switch f.name {
	case "modules":
		t.HasModules = true
	case "build":
		t.Build = f.text()
	case "buildok":
		t.BuildOK = true
	case "headers":
		t.Headers = true
	}
}

var moduleFile = regexp.MustCompile(`^/lib/modules/+([^/]+)/(.*/)?(vbox[a-z0-9_]+)\.ko(\.[a-z0-9]+)?$`)

// sortModule puts one found file to its tree: misc/ is Oracle's place, anything else is the distribution's.
func sortModule(list []facts.KernelTree, file string) {
	m := moduleFile.FindStringSubmatch(file)
	if m == nil || !slices.Contains([]string{"vboxguest", "vboxsf", "vboxvideo"}, m[3]) {
		return
	}
	for i := range list {
		if list[i].Release != m[1] {
			continue
		}
		if m[2] == "misc/" {
			list[i].Misc = addSorted(list[i].Misc, m[3])
		} else {
			list[i].InTree = addSorted(list[i].InTree, m[3])
		}
	}
}

func addSorted(list []string, s string) []string {
	if i, found := slices.BinarySearch(list, s); !found {
		return slices.Insert(list, i, s)
	}
	return list
}

// defaultKernel is the kernel of the default boot entry, and who said so: grubby, else what the boot loader
// reads, else the newest image.
func defaultKernel(b body, images []string) (release, from string) {
	if r := b.text("grubby"); r != "" {
		return r, "grubby"
	}
	if f, ok := b.first("grubconf"); ok {
		return grubConf(f.cleaned()), "grub.conf"
	}
	if r := grubEnv(b); r != "" {
		return r, "grubenv"
	}
	if f, ok := b.first("grubcfg"); ok && firstEntry(b.text("grubdefault")) {
		if r := imageRelease(f.text()); r != "" {
			return r, "grub.cfg"
		}
	}
	if r := entryRelease(unquote(b.text("grubdefault"))); r != "" {
		return r, "GRUB_DEFAULT"
	}
	if _, ok := b.first("grubcfg"); ok && !firstEntry(b.text("grubdefault")) {
		return "", "" // an entry that the user chose, and that was not found: the newest is a guess
	}
	if len(images) > 0 {
		return images[len(images)-1], "newest"
	}
	return "", ""
}

// firstEntry tells whether GRUB_DEFAULT means the first menu entry.
func firstEntry(v string) bool { return slices.Contains([]string{"", "0"}, unquote(v)) }

// menuEntry is the id that grub-mkconfig gives the entry of one kernel.
var menuEntry = regexp.MustCompile(`(?:^|>)gnulinux-([0-9]\S*)-advanced-\S+$`)

// entryRelease is the kernel of a menu entry that is named by its id, inside its submenu or alone.
func entryRelease(id string) string {
	if m := menuEntry.FindStringSubmatch(id); m != nil {
		return m[1]
	}
	return ""
}

var imageName = regexp.MustCompile(`/vmlinuz-(\S+)`)

func imageRelease(line string) string {
	if m := imageName.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// grubConf reads GRUB legacy's menu (EL6): default=N counts the title lines from 0.
func grubConf(lines []string) string {
	want, at := 0, -1
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "default="); ok {
			want = number(v, 0)
		}
		if strings.HasPrefix(line, "title") {
			at++
		}
		if at == want && strings.HasPrefix(line, "kernel") {
			return imageRelease(line)
		}
	}
	return ""
}

var inParens = regexp.MustCompile(`\(([0-9]\S*)\)`)

// grubEnv reads saved_entry: the name of a loader entry (EL8 and later), its number, or a title with the
// release in parentheses (EL7). Without one, the newest loader entry is the default.
func grubEnv(b body) string {
	saved := ""
	for _, f := range b.facts {
		if f.name != "grubenv" {
			continue
		}
		for _, line := range f.cleaned() {
			if v, ok := strings.CutPrefix(line, "saved_entry="); ok && v != "" {
				saved = v
			}
		}
	}
	if r := entryRelease(saved); r != "" {
		return r
	}
	entries := loaderEntries(b)
	if m := inParens.FindStringSubmatch(saved); m != nil {
		return m[1]
	}
	for _, e := range entries {
		if e.id == saved {
			return e.release
		}
	}
	if n, err := strconv.Atoi(saved); (err == nil || saved == "") && n >= 0 && n < len(entries) {
		return entries[n].release
	}
	return ""
}

type loaderEntry struct{ id, release string }

// loaderEntries are the entries of /boot/loader/entries as the boot loader orders them: newest first, rescue last.
func loaderEntries(b body) []loaderEntry {
	f, ok := b.first("bls")
	if !ok {
		return nil
	}
	var out []loaderEntry
	for _, line := range f.cleaned() {
		file, rest, ok := strings.Cut(line, ".conf:")
		words := strings.Fields(rest)
		if !ok || len(words) < 2 || strings.Contains(file, "rescue") {
			continue
		}
		e := loaderEntry{id: path.Base(file), release: imageRelease(line)}
		if words[0] == "version" {
			e.release = words[1]
		}
		known := slices.ContainsFunc(out, func(o loaderEntry) bool { return o.id == e.id })
		if e.release != "" && !known {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b loaderEntry) int { return version.CompareKernels(b.release, a.release) })
	return out
}

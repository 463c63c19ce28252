package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// room changes one path's space.
func room(path string, change func(*facts.Space)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Space, func(list *[]facts.Space) {
			for i := range *list {
				if (*list)[i].Path == path {
					(*list)[i].Mount = path
					change(&(*list)[i])
				}
			}
		})
	}
}

func free(path string, kb int64) func(*facts.Facts) {
	return room(path, func(s *facts.Space) { s.FreeKB = kb })
}

func noSpace(f *facts.Facts) { assesstest.Forget(&f.Guest.Space) }

var _ = rows("space.free",
	pass("room", assesstest.CentOS7, as),
	pass("little, and nothing has to be installed", assesstest.CentOS7, free("/tmp", 20<<10)),
	pass("/home does not matter", assesstest.CentOS7, both(assesstest.NoHeaders, free("/home", 0))),
	pass("an immutable /usr, nothing to build", assesstest.Fedora43, room("/usr", func(s *facts.Space) { s.ReadOnly = true })),
	fail("root full (S7)", "/ has 1 MiB left", assesstest.CentOS7, free("/", 1<<10)),
	fail("too little in /tmp for a build (S6)", "at least 120 MiB", assesstest.CentOS7, both(assesstest.NoHeaders, free("/tmp", 20<<10))),
	fail("overflow tmpfs", "a tmpfs", assesstest.CentOS7, room("/tmp", func(s *facts.Space) { s.FS, s.FreeKB, s.TotalKB = "tmpfs", 0, 1024 })),
	fail("/boot full, and a build is due (S8)", "never that of uname -r", assesstest.CentOS7, both(assesstest.NoHeaders, free("/boot", 1<<10))),
	warn("/boot small, and a build is due", "/boot has 30 MiB left", assesstest.CentOS7, both(assesstest.NoHeaders, free("/boot", 30<<10))),
	warn("/boot full, and nothing is due", "/boot has 1 MiB left", assesstest.CentOS7, free("/boot", 1<<10)),
	fail("a full root counts more than a small /boot", "/var has", assesstest.CentOS7, both(assesstest.NoHeaders, free("/boot", 30<<10), free("/var", 1<<10))),
	fail("read-only root", "mounted read-only", assesstest.CentOS7, room("/", func(s *facts.Space) { s.ReadOnly = true })),
	pass("no size at all (a pseudo file system)", assesstest.CentOS7, room("/tmp", func(s *facts.Space) { s.FreeKB, s.TotalKB = 0, 0 })),
	unknown("not seen", assesstest.CentOS7, noSpace),
)

func inodes(path string, n int64) func(*facts.Facts) {
	return room(path, func(s *facts.Space) { s.FreeInodes = n })
}

var _ = rows("space.inodes",
	pass("many", assesstest.CentOS7, as),
	pass("a file system without inodes (btrfs)", assesstest.CentOS7, inodes("/", -1)),
	pass("few, and nothing has to be installed", assesstest.CentOS7, inodes("/", 5000)),
	pass("/home and /boot do not matter", assesstest.CentOS7, both(assesstest.NoHeaders, inodes("/home", 10), inodes("/boot", 10))),
	fail("none (S7)", "0 inodes left", assesstest.CentOS7, inodes("/", 0)),
	fail("too few for a build", "at least 25000", assesstest.CentOS7, both(assesstest.NoHeaders, inodes("/usr", 5000))),
	unknown("not seen", assesstest.CentOS7, noSpace),
)

var _ = rows("space.noexec",
	pass("exec", assesstest.CentOS7, as),
	warn("noexec (S10)", "--target", assesstest.CentOS7, room("/tmp", func(s *facts.Space) { s.NoExec = true })),
	pass("/boot noexec is usual", assesstest.CentOS7, room("/boot", func(s *facts.Space) { s.NoExec = true })),
	unknown("not seen", assesstest.CentOS7, noSpace),
)

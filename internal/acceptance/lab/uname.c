/* The lab's stand-in for uname(2): the release comes from /run/lab-kernel. Used only by the case "uname". */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *u)
{
	char release[sizeof u->release] = "";
	long rc = syscall(SYS_uname, u);
	int fd;

	if (rc != 0 || (fd = open("/run/lab-kernel", O_RDONLY | O_CLOEXEC)) < 0)
		return (int)rc;
	if (read(fd, release, sizeof release - 1) > 1) {
		release[strcspn(release, "\n")] = '\0';
		memcpy(u->release, release, sizeof release);
	}
	close(fd);
	return 0;
}

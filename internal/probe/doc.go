// Package probe observes a guest in one round trip: it joins the sections that the checks ask for into one
// POSIX sh script, splits the framed output, and fills facts.Guest. It judges nothing and changes nothing.
//
// The script is read by `sh -s` (dash, bash, busybox ash, ksh, mksh and the demo's embedded shell). Each
// section runs in a shell of its own, without standard input and with its own limit, between two lines that
// carry a random nonce, so that neither a banner nor the content of a file can forge a frame. A stream that
// is cut keeps the finished sections; every other field says why it is not collected.
//
// What needs root asks for it by `sudo -n`, asked once. Where sudo wants a password, run the whole probe as
// root (Params.Sudo) and name the login user (Params.User): whether that user may write into a synced folder
// is then asked as that user, by `sudo -n -u USER test -w PATH`, or by su where sudo does not allow it.
//
// Programs that the script calls beside shell builtins, where the guest has them: id uname date stat head
// tail sed grep sort find readlink cat df tr od env getent ps dmesg timeout sudo su; rpm, dpkg-query, dkms;
// yum, dnf, dnf5, apt-get, apt-cache, apt-mark, zypper, pacman; grubby, modinfo, modprobe, mokutil,
// systemctl, systemd-detect-virt, gcc, VBoxControl, VBoxService. A missing one costs its own facts only.
package probe

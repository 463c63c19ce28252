// Package acceptance runs the built boxdoctor against real parts: container guests with a real systemd, sshd,
// sudo, rpm and dnf and the real Guest Additions installer (lab/), and a VM with a real kernel (vm/). Its tests
// need root on Debian and are behind the build tag acceptance; `make acceptance` says what it installs.
package acceptance

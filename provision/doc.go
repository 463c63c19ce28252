// Package provision brings guests to a declared state and does nothing the second time. What is declared becomes a
// list of resources; one round trip observes all of them; pure diffs say what differs; the interpreter of
// internal/action makes only the differences; then everything is observed again. The law: the second diff is empty,
// or provisioning failed (style.md 5.6, issue 5).
package provision

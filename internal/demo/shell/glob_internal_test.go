package shell

// SlashGlob turns the shell's own file name expansion on for a test, and back.
func SlashGlob(on bool) (back func()) {
	old := slashGlob
	slashGlob = on
	return func() { slashGlob = old }
}

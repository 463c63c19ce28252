package provision

import "github.com/aymanbagabas/go-udiff"

// unified is the difference of two texts for people.
func unified(name, from, to string) string {
	return udiff.Unified("guest:"+name, "declared:"+name, from, to)
}

package knowledge

import (
	"strings"
	"testing"
)

// BenchmarkClassify: a log of the size that the probe keeps (64 KiB) that names no cause.
func BenchmarkClassify(b *testing.B) {
	text := strings.Repeat(sample(b, "testdata/healthy/ga-6.1-install.txt"), 64)[:64<<10]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Classify(text)
	}
}

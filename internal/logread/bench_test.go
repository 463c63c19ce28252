package logread

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkRead is everything but the link: the guest's filter, parsing, merging of four logs.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	const n = 50000
	for i := range n {
		text.WriteString(record(day.Add(time.Duration(i)*time.Millisecond), "r", "SQL", 2, "a message | of some length, as they are, with a JSON object or not"))
	}
	name := filepath.Join(b.TempDir(), "app.log")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	var sources []Source
	for range 4 {
		sources = append(sources, Source{Machine: "web", Guest: g, Files: []string{name}})
	}
	b.SetBytes(int64(4 * text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		lines := 0
		if _, err := Read(b.Context(), sources, Options{Timeout: time.Minute}, func(Entry) error { lines++; return nil }); err != nil || lines != 4*n {
			b.Fatal(lines, err)
		}
	}
}

// Package nearest finds what a person most likely meant by a misspelt word.
package nearest

import "math"

// Of returns the candidate that a person most likely meant by word: the one with the fewest slips
// (insert, drop, replace, swap neighbours), the first of equals. Empty when nothing is close enough: with two slips a word
// of three letters has hardly anything left (web is not net).
func Of(word string, candidates []string) string {
	n := len([]rune(word))
	best, fewest := "", max(2, n/2)+1
	if n <= 3 {
		fewest = 2
	}
	for _, c := range candidates {
		if d := slips([]rune(word), []rune(c)); d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

// slips is the optimal string alignment distance.
func slips(a, b []rune) int {
	const longest = 64 // nobody mistypes a longer word; keeps the table small
	if len(a) > longest || len(b) > longest {
		return math.MaxInt
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d[i][j] = step(d, a, b, i, j)
		}
	}
	return d[len(a)][len(b)]
}

func step(d [][]int, a, b []rune, i, j int) int {
	cost := 1
	if a[i-1] == b[j-1] {
		cost = 0
	}
	least := min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
	if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
		least = min(least, d[i-2][j-2]+1)
	}
	return least
}

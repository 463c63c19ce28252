package version

import "testing"

func TestVBoxRange(t *testing.T) {
	for _, c := range []struct {
		set, v string
		want   bool
	}{
		{">= 7.2.10, <= 7.2.12", "7.2.10r174000", true},
		{">= 7.2.10, <= 7.2.12", "7.2.12_Debianr1", true},
		{">= 7.2.10, <= 7.2.12", "7.2.14", false},
		{">= 7.2.10, <= 7.2.12", "7.2.9", false},
		{"= 7.2.8", "7.2.8_BETA1", true},
	} {
		r, err := ParseVBoxRange(c.set)
		v, verr := ParseVBox(c.v)
		if err != nil || verr != nil || r.Has(v) != c.want {
			t.Errorf("%s in %s: %v, %v, %v; want %v", c.v, c.set, r.Has(v), err, verr, c.want)
		}
	}
	for _, bad := range []string{"", "  ", "seven", ">= ", "= 7.2.8,"} {
		if _, err := ParseVBoxRange(bad); err == nil {
			t.Errorf("%q is taken for a range", bad)
		}
	}
	if (VBoxRange{}).Has(VBox{}) {
		t.Error("the zero range holds something")
	}
}

package host

import "github.com/boxdoctor/boxdoctor/internal/facts"

// darwin looks at what only macOS has.
func (ob *observer) darwin() facts.Value[facts.Darwin] {
	if ob.goos != "darwin" {
		return facts.Unknownf[facts.Darwin]("this host runs %s", ob.goos)
	}
	return facts.Known(facts.Darwin{
		Version: clean(ob.sysctl("kern.osproductversion")),
		Driver:  ob.exists("/dev/vboxdrv"), NetCtl: ob.exists("/dev/vboxnetctl"),
	})
}

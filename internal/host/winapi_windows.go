package host

import (
	"os"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// realWindows asks the running system. Keys are opened for reading only, in the 64-bit view.
func realWindows() winAPI {
	return winAPI{
		text: func(key, name string) (v string, ok bool) {
			ok = inKey(key, func(k registry.Key) (err error) { v, _, err = k.GetStringValue(name); return err })
			return v, ok
		},
		number: func(key, name string) (n uint64, ok bool) {
			ok = inKey(key, func(k registry.Key) (err error) { n, _, err = k.GetIntegerValue(name); return err })
			return n, ok
		},
		service: serviceState,
		environ: os.Environ,
	}
}

func inKey(key string, read func(registry.Key) error) bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return false
	}
	defer k.Close()
	return read(k) == nil
}

// serviceState asks the service manager with the rights that every user has.
func serviceState(name string) (running bool, start int, ok bool) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return false, 0, false
	}
	defer windows.CloseServiceHandle(manager)
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return false, 0, false
	}
	service, err := windows.OpenService(manager, text, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return false, 0, false
	}
	defer windows.CloseServiceHandle(service)
	var st windows.SERVICE_STATUS
	if err := windows.QueryServiceStatus(service, &st); err != nil {
		return false, 0, false
	}
	inKey(`SYSTEM\CurrentControlSet\Services\`+name, func(k registry.Key) error {
		n, _, err := k.GetIntegerValue("Start")
		start = int(n) // 0 to 4
		return err
	})
	return st.CurrentState == windows.SERVICE_RUNNING, start, true
}

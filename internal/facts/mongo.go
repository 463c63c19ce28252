package facts

// Mongo is what decides whether a mongod starts and runs well in the guest.
type Mongo struct {
	CPU string `json:"cpu"`
	// AVX and AVX2 are flags of the processor as the guest sees it.
	AVX      bool  `json:"avx"`
	AVX2     bool  `json:"avx2"`
	MemoryKB int64 `json:"memory_kb"`
	// THP is, by its file below transparent_hugepage, the value in force (enabled, defrag, khugepaged/max_ptes_none).
	THP map[string]string `json:"thp"`
	// Sysctl are parameters of the kernel, "vm.swappiness".
	Sysctl map[string]string `json:"sysctl"`
	// Installed is the version of mongodb-org-server; empty: it is not installed.
	Installed string `json:"installed"`
	// Options are the few of /etc/mongod.conf that count here, by their last word: dbPath, port, cacheSizeGB, …
	Options map[string]string `json:"options"`
	// Running tells whether a mongod runs; MaxFiles and MaxProcesses are its limits, -1 when not known.
	Running      bool `json:"running"`
	MaxFiles     int  `json:"max_files"`
	MaxProcesses int  `json:"max_processes"`
	// TimeServices keep the clock: chronyd, ntpd, systemd-timesyncd, VBoxService.
	TimeServices []string `json:"time_services"`
	// Listener is who listens at port 27017: a program, "-" for somebody unknown, empty for nobody.
	Listener string `json:"listener"`
	// Name is what the guest calls itself and Address what that resolves to; empty: nothing.
	Name    string `json:"name"`
	Address string `json:"address"`
	// DataPath is where data lies or will lie, DataFS its file system, DataFreeKB the room there.
	DataPath   string `json:"data_path"`
	DataFS     string `json:"data_fs"`
	DataFreeKB int64  `json:"data_free_kb"`
	// Enforcing is SELinux; DataType and SocketType are types of what lies there, empty when there is none.
	Enforcing  bool   `json:"enforcing"`
	DataType   string `json:"data_type"`
	SocketType string `json:"socket_type"`
}

package napcatsim

// napcatConfig is napcat.json and napcat_<uin>.json after defaults.
type napcatConfig struct {
	FileLog         bool           `json:"fileLog"`
	ConsoleLog      bool           `json:"consoleLog"`
	FileLogLevel    string         `json:"fileLogLevel"`
	ConsoleLogLevel string         `json:"consoleLogLevel"`
	PacketBackend   string         `json:"packetBackend"`
	PacketServer    string         `json:"packetServer"`
	O3HookMode      float64        `json:"o3HookMode"`
	AutoTimeSync    bool           `json:"autoTimeSync"`
	Bypass          map[string]any `json:"bypass,omitempty"`
}

package config

import "time"

// Default returns the config of an empty file: one account named "main".
func Default() *Config {
	return &Config{
		Accounts: []Account{DefaultAccount("main")},
		NapCat: NapCat{
			Version: "4.18.13",
			Mirrors: []string{"auto"},
			Update:  "notify",
			Keep:    2,
		},
		Display: "auto",
		Supervisor: Supervisor{
			Restart: Restart{
				Initial: sec(1), Max: sec(300), Jitter: 0.2,
				ScoreLimit: 5, ScoreHalfLife: sec(60), HealthyAfter: sec(300),
			},
			Health: Health{
				ProbeInterval: sec(5), ProbeTimeout: sec(5), StartTimeout: sec(90),
				HeartbeatMisses: 3, OfflineSamples: 2,
			},
			StopTimeout: sec(10),
		},
		Bot: Bot{
			Prefixes:        []string{"/"},
			Plugins:         PluginSwitch{Enable: []string{"*"}},
			Queue:           1024,
			HandlerWarn:     sec(5),
			HandlerDeadline: sec(600),
			SendPolicy:      "wait",
			Backfill:        Backfill{Mode: "auto", Messages: 500, Chats: 50, Age: sec(3600)},
		},
		Scripts: Scripts{Limits: ScriptLimits{Memory: 64 << 20, CPU: sec(1), Queue: 1024, Calls: 64, Timers: 1024, Setup: sec(10), Unload: sec(3)}},
		Bus:     Bus{Replicas: 1, Retention: sec(100 * 3600)},
		Log:     Log{Level: "info", Format: "auto", MaxSize: 20 << 20, MaxTotal: 200 << 20, Events: "summary"},
		Control: Control{TLS: "off", Console: true},
	}
}

// DefaultAccount returns what an account is when the file gives it only a name.
func DefaultAccount(name string) Account {
	return Account{
		Name:  name,
		WebUI: Endpoint{Host: "127.0.0.1", PortBusy: "refuse"},
		OneBot: OneBot{
			Endpoint:  Endpoint{Host: "127.0.0.1", PortBusy: "refuse"},
			Heartbeat: sec(30),
		},
		Login: Login{Order: []string{"quick", "password", "qr"}, QRTimeout: sec(600)},
	}
}

func sec(n int) Duration { return Duration(time.Duration(n) * time.Second) }

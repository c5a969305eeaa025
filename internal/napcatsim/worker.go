package napcatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"time"
)

// worker is everything of NapCat but the master.
func (p *process) worker(ctx context.Context) int {
	log := newConsole(func(b []byte) error { _, err := p.stdout.Write(b); return err })
	log.raw("NapCat Shell App Loading...")
	log.info("[NapCat] [Core] NapCat.Core Version: " + p.in.NapCatVersion)
	if p.env["NAPCAT_WORKER_PROCESS"] == "1" {
		r, _ := openIPC()
		sc := bufio.NewScanner(r)
		for sc.Scan() {
			var m message
			if json.Unmarshal(sc.Bytes(), &m) == nil && (m.Type == "shutdown" || m.Type == "restart-prepare") {
				time.Sleep(100 * time.Millisecond)
				os.Exit(0)
			}
		}
	}
	<-ctx.Done()
	return 0
}

// Command ncatd installs NapCat, keeps it running, gets its account logged in,
// and runs the demo bot on it.
package main

import (
	"log"

	"github.com/ncatd/ncatd"
	"github.com/ncatd/ncatd/internal/bot/demo"
)

func main() {
	log.Fatal(ncatd.Main(demo.New()))
}

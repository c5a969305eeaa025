package api

import (
	"encoding/json"
	"time"
)

// DeadEvent is an event that no worker of a group could finish.
type DeadEvent struct {
	ID      uint64          `json:"id"`
	Time    time.Time       `json:"time"` // when it was given up
	Group   string          `json:"group"`
	Account string          `json:"account"`
	Error   string          `json:"error"`
	Event   json.RawMessage `json:"event"`
}

// SettleRequest is the body of POST /v0/fleet/dead.
type SettleRequest struct {
	IDs   []uint64 `json:"ids"`
	Retry bool     `json:"retry"` // give them again; else they are dropped
}

// FleetHost is one host of a fleet, as it was last heard.
type FleetHost struct {
	Name string `json:"name"`
	// Heard is when; Silent says that it should have been heard since.
	Heard  time.Time `json:"heard"`
	Silent bool      `json:"silent"`
	Here   bool      `json:"here"` // it is the one that was asked
	Status Status    `json:"status"`
}

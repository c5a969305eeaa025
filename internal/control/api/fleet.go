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

// SilentHost is a host of the fleet that is not heard any more.
type SilentHost struct {
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"` // for the last time
}

// MoveRequest is the body of POST /v0/accounts/{name}/move.
type MoveRequest struct {
	To string `json:"to"`           // a host of the fleet
	As string `json:"as,omitempty"` // the account's name there; "": the same
}

// The phases of a Move.
const (
	MoveStopping  = "stopping"  // the account is being stopped
	MoveCopying   = "copying"   // its files go to the bus
	MoveReceiving = "receiving" // the other host takes them from there
	MoveStarting  = "starting"  // it is the other host's, which starts it
	MoveDone      = "done"      // it was online there
	MoveReturned  = "returned"  // it was not, and is this host's again
	MoveFailed    = "failed"    // it never left this host
)

// Move is how far the move of an account to another host came.
type Move struct {
	ID    string `json:"id"`
	To    string `json:"to"`
	As    string `json:"as"`
	Phase string `json:"phase"`
	Error string `json:"error,omitempty"` // of a failed one
	Fault Fault  `json:"fault,omitzero"`  // Error without a language, where it has one
}

// Incoming is what one host tells another of an account that is to move there.
type Incoming struct {
	ID      string `json:"id"`
	UIN     int64  `json:"uin"`
	Account string `json:"account"` // the name that is wanted for it
	// Sent says that the parcel with the account's files lies on the bus.
	Sent bool `json:"sent,omitempty"`
}

// IncomingState is how far a host came with an Incoming.
type IncomingState struct {
	Address string `json:"address"` // whom the parcel is to be encrypted for
	Account string `json:"account"` // the account's name there
	Home    string `json:"home"`    // identity of the host
	Boot    string `json:"boot"`
	Ready   bool   `json:"ready"`           // the account's files are on its disk
	Error   string `json:"error,omitempty"` // why they will never be
}

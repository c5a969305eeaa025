// Package fleet runs several daemons on the simulator, a real NATS server and
// workers of the example, and lets each of them die. It has tests only.
package fleet

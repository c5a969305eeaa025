package script

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/ncatd/ncatd/onebot"
)

// apiMethod makes one call of onebot.Client with params in JSON.
type apiMethod func(ctx context.Context, c *onebot.Client, raw json.RawMessage, packet func(*onebot.StreamPacket) error) (any, error)

// apiNames returns what the methods of the API are called in scripts.
func apiNames() []string { return slices.Sorted(maps.Keys(apiMethods)) }

func with[P, R any](f func(*onebot.Client, context.Context, P) (R, error)) apiMethod {
	return func(ctx context.Context, c *onebot.Client, raw json.RawMessage, _ func(*onebot.StreamPacket) error) (any, error) {
		var p P
		if err := into(raw, &p); err != nil {
			return nil, err
		}
		return f(c, ctx, p)
	}
}

func withNone[P any](f func(*onebot.Client, context.Context, P) error) apiMethod {
	return func(ctx context.Context, c *onebot.Client, raw json.RawMessage, _ func(*onebot.StreamPacket) error) (any, error) {
		var p P
		if err := into(raw, &p); err != nil {
			return nil, err
		}
		return nil, f(c, ctx, p)
	}
}

func plain[R any](f func(*onebot.Client, context.Context) (R, error)) apiMethod {
	return func(ctx context.Context, c *onebot.Client, _ json.RawMessage, _ func(*onebot.StreamPacket) error) (any, error) {
		return f(c, ctx)
	}
}

func plainNone(f func(*onebot.Client, context.Context) error) apiMethod {
	return func(ctx context.Context, c *onebot.Client, _ json.RawMessage, _ func(*onebot.StreamPacket) error) (any, error) {
		return nil, f(c, ctx)
	}
}

func stream[P any](f func(*onebot.Client, context.Context, P, func(*onebot.StreamPacket) error) (*onebot.StreamPacket, error)) apiMethod {
	return func(ctx context.Context, c *onebot.Client, raw json.RawMessage, packet func(*onebot.StreamPacket) error) (any, error) {
		var p P
		if err := into(raw, &p); err != nil {
			return nil, err
		}
		return f(c, ctx, p, packet)
	}
}

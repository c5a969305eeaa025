package onebot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncatd/ncatd/internal/napcatsim/action"
	"github.com/ncatd/ncatd/internal/napcatsim/adapter"
	"github.com/ncatd/ncatd/internal/napcatsim/world"
	"github.com/ncatd/ncatd/internal/rpc"
	"github.com/ncatd/ncatd/onebot"
)

// dialSimulator returns a client on a real socket to a simulated NapCat, and the
// events that come from it.
func dialSimulator(t *testing.T) (*onebot.Client, *world.World, <-chan onebot.Event) {
	t.Helper()
	w := world.New(world.Options{UIN: 10001, Nickname: "bot"})
	log := func(string, string) {}
	h := action.New(action.Options{World: w, Log: log, TempDir: t.TempDir()})
	n := adapter.New(adapter.Options{World: w, Host: h, Log: log, Ephemeral: true})
	conf, err := adapter.ParseConfig(`{network:{websocketServers:[{name:"ws",enable:true,port:0,token:"sec",heartInterval:0}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(conf)
	t.Cleanup(func() { n.Close(); h.Close() })
	events := make(chan onebot.Event, 1000)
	conn, err := rpc.Dial(t.Context(), "ws://"+n.Addr("ws")+"/", rpc.Options{Token: "sec", CallTimeout: 20 * time.Second, Event: func(b []byte) {
		e, err := onebot.Decode(b)
		if err != nil {
			t.Errorf("%s: %v", b, err)
			return
		}
		if _, unknown := e.(*onebot.UnknownEvent); unknown {
			t.Errorf("unknown: %s", b)
		}
		events <- e
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = conn.Run(ctx) }() // its end is the test's
	t.Cleanup(func() { cancel(); <-done })
	return onebot.NewClient(conn), w, events
}

// Every method reaches an action the other side knows, with params it accepts,
// and its answer, if it is no refusal, decodes.
func TestEveryMethodAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	doc, _ := loadFacts(t)
	actions := doc["actions"].(map[string]any)
	rnd := rand.New(rand.NewPCG(3, 3))
	skip := map[string]bool{"BotExit": true, "SetRestart": true} // they end it
	v := reflect.ValueOf(client)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	done := 0
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		method := v.Method(i)
		if skip[name] || !isAction(method.Type()) {
			continue
		}
		args := []reflect.Value{reflect.ValueOf(ctx)}
		for j := 1; j < method.Type().NumIn(); j++ {
			in := reflect.New(method.Type().In(j)).Elem()
			if in.Kind() == reflect.Struct {
				fill(rnd, in, enumsOf(actions[actionOf(actions, name)].(map[string]any)["params"]))
			}
			args = append(args, in)
		}
		done++
		wg.Go(func() {
			out := method.Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			if err != nil && (!onebot.IsRefused(err) || onebot.IsUnsupported(err) || onebot.IsBadParams(err)) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
	if done < 173 {
		t.Errorf("only %d methods", done)
	}
}

// actionOf returns the action a method is named for.
func actionOf(actions map[string]any, method string) string {
	for a := range actions {
		if strings.EqualFold(strings.NewReplacer("_", "", ".", "").Replace(a), method) {
			return a
		}
	}
	return ".ocr_image" // the one method with a name of its own
}

func TestTransfersOverASocket(t *testing.T) {
	t.Parallel()
	client, _, _ := dialSimulator(t)
	ctx := t.Context()
	data := random(700_001)
	sum := sha256.Sum256(data)
	up, err := client.Upload(ctx, bytes.NewReader(data), onebot.Upload{Name: "报告 1.bin", ChunkSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if up.FileSize != int64(len(data)) || up.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%+v", up)
	}
	sent, err := client.UploadPrivateFile(ctx, onebot.UploadPrivateFileParams{UserID: 10001, File: up.FilePath, Name: "报告 1.bin"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d, err := client.Download(ctx, &out, onebot.DownloadFileStreamParams{FileID: &sent.FileID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) || d.SHA256 != up.SHA256 {
		t.Errorf("%d bytes of %d came back: %+v", out.Len(), len(data), d)
	}
	n := 0
	last, err := client.TestDownloadStream(ctx, onebot.TestDownloadStreamParams{}, func(p *onebot.StreamPacket) error {
		n++
		if p.DataType != "data_chunk" || p.Data == "" {
			t.Errorf("%s", p.Raw())
		}
		return nil
	})
	if err != nil || n != 10 || last.DataType != "data_complete" {
		t.Errorf("%d packets, %+v, %v", n, last, err)
	}
	if _, err := client.TestDownloadStream(ctx, onebot.TestDownloadStreamParams{Error: new(true)}, nil); !onebot.IsRefused(err) {
		t.Errorf("got %v", err)
	}
}

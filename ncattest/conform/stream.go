package conform

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// packets makes a stream call and returns all packets of its answer.
func (v *visit) packets(action, params string) ([]answer, error) {
	params, err := v.fill(params)
	if err != nil {
		return nil, err
	}
	c, err := v.connect()
	if err != nil {
		return nil, err
	}
	if err := c.write(fmt.Sprintf(`{"action":%q,"params":%s,"echo":"st"}`, action, params)); err != nil {
		return nil, err
	}
	var out []answer
	for {
		a, err := c.answer(`"st"`)
		if err != nil {
			return out, err
		}
		out = append(out, a)
		var d struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(a.Data, &d) // what has no type is the last
		if a.Stream != "stream-action" {
			return out, fmt.Errorf("%s is no packet of a stream", a)
		}
		if d.Type != "stream" {
			return out, nil
		}
	}
}

// upload brings content to the host and returns where it lies.
func (v *visit) upload(name, content string) (string, error) {
	id := fmt.Sprintf("conform-%s-%d", name, time.Now().UnixNano())
	steps := []string{
		fmt.Sprintf(`{"stream_id":%q,"total_chunks":1,"file_size":%d,"filename":%q}`, id, len(content), name),
		fmt.Sprintf(`{"stream_id":%q,"chunk_index":0,"chunk_data":%q}`, id, base64.StdEncoding.EncodeToString([]byte(content))),
		fmt.Sprintf(`{"stream_id":%q,"is_complete":true}`, id),
	}
	for i, s := range steps {
		a, err := v.call("upload_file_stream", s)
		if err != nil {
			return "", err
		}
		if err := v.fine("upload_file_stream", a); err != nil {
			return "", err
		}
		if i == len(steps)-1 {
			var d struct {
				FilePath string `json:"file_path"`
			}
			return d.FilePath, json.Unmarshal(a.Data, &d)
		}
	}
	return "", nil
}

const streamError = `{!status:"failed", retcode:1200, data:{!type:"error", data_type:"error"}, message:str, wording:str, echo:"st", stream:"stream-action"}`

var streaming = []Expectation{
	{Place: "E.3", Title: "a stream of ten packets", wire: true, try: tenPackets},
	{Place: "E.3", Title: "a stream that fails ends with an error", wire: true, try: failingStream},
	{Place: "E.3", Title: "an upload begins", try: uploadStep(0, `{!type:"stream", stream_id:str, status:"file_created", received_chunks:0, total_chunks:2}`)},
	{Place: "E.3", Title: "an upload takes a chunk", try: uploadStep(1, `{!type:"stream", stream_id:str, status:"chunk_received", received_chunks:1, total_chunks:2}`)},
	{Place: "E.3", Title: "an upload takes chunks in any order", try: uploadStep(2, `{!type:"stream", stream_id:str, status:"chunk_received", received_chunks:2, total_chunks:2}`)},
	{Place: "E.3", Title: "an upload ends with a path", try: uploadStep(3, `{!type:"response", stream_id:str, status:"file_complete", received_chunks:2, total_chunks:2, file_path:str, file_size:6, sha256:"`+sumOf("abcdef")+`"}`)},
	{Place: "E.3", Title: "an upload of other content is refused", try: wrongSum},
	{Place: "E.3", Title: "a reset is answered as an error", wire: true, try: streamRefused(`{"stream_id":"r1","reset":true}`, "Stream reset completed")},
	{Place: "E.3", Title: "a stream that nobody began is not found", wire: true, try: streamRefused(`{"stream_id":"none-such","verify_only":true}`, "Stream not found")},
	{Place: "E.3", Title: "what was uploaded can be sent", try: uploadAndSend},
	{Place: "E.3", Title: "what was sent can be downloaded in chunks", wire: true, try: downloadChunks},
	{Place: "E.3", Title: "a file that does not exist is refused", wire: true, try: func(v *visit) error {
		p, err := v.packets("download_file_stream", `{"file":"no-such-file"}`)
		if err != nil {
			return err
		}
		return matches(p[len(p)-1].raw, streamError)
	}},
	{Place: "results clean_stream_temp_file", Title: "it is no stream action", try: func(v *visit) error {
		a, err := v.call("clean_stream_temp_file", "{}")
		if err != nil {
			return err
		}
		if v.h.URL != "" && a.Stream != "normal-action" {
			return fmt.Errorf("stream is %q", a.Stream)
		}
		return v.fine("clean_stream_temp_file", a)
	}},
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func tenPackets(v *visit) error {
	p, err := v.packets("test_download_stream", "{}")
	if err != nil {
		return err
	}
	if len(p) != 11 {
		return fmt.Errorf("%d packets, want 11", len(p))
	}
	for i, a := range p[:10] {
		if err := matches(a.raw, fmt.Sprintf(`{!status:"ok", retcode:0, data:{!type:"stream", data:"Index-> %d", data_type:"data_chunk"}, message:"", wording:"", echo:"st", stream:"stream-action"}`, i+1)); err != nil {
			return err
		}
	}
	return matches(p[10].Data, `{!type:"response", data_type:"data_complete", data:"Stream transmission complete"}`)
}

func failingStream(v *visit) error {
	p, err := v.packets("test_download_stream", `{"error":true}`)
	if err != nil {
		return err
	}
	if len(p) != 11 {
		return fmt.Errorf("%d packets, want 11", len(p))
	}
	if err := v.refusal(p[10], 1200, "This is a test error"); err != nil {
		return err
	}
	return matches(p[10].raw, streamError)
}

// uploadStep makes an upload of two chunks, the second before the first, and
// expects the given step of it to be answered by a shape.
func uploadStep(step int, shape string) func(*visit) error {
	return func(v *visit) error {
		id := fmt.Sprintf("conform-%d-%d", step, time.Now().UnixNano())
		for i, s := range []string{
			`"total_chunks":2,"file_size":6,"filename":"conform.txt","expected_sha256":"` + sumOf("abcdef") + `"`,
			`"chunk_index":1,"chunk_data":"ZGVm"`, `"chunk_index":0,"chunk_data":"YWJj"`, `"is_complete":true`,
		} {
			a, err := v.call("upload_file_stream", fmt.Sprintf(`{"stream_id":%q,%s}`, id, s))
			if err != nil {
				return err
			}
			if err := v.fine("upload_file_stream", a); err != nil {
				return err
			}
			if i == step {
				return matches(a.Data, shape)
			}
		}
		return nil
	}
}

func wrongSum(v *visit) error {
	id := fmt.Sprintf("conform-sum-%d", time.Now().UnixNano())
	begin := fmt.Sprintf(`{"stream_id":%q,"total_chunks":1,"file_size":3,"filename":"x.txt","expected_sha256":"%s"}`, id, sumOf("other"))
	chunk := fmt.Sprintf(`{"stream_id":%q,"chunk_index":0,"chunk_data":"YWJj"}`, id)
	if err := both(answers("upload_file_stream", begin, `{status:"file_created"}`), answers("upload_file_stream", chunk, `{status:"chunk_received"}`))(v); err != nil {
		return err
	}
	a, err := v.call("upload_file_stream", fmt.Sprintf(`{"stream_id":%q,"is_complete":true}`, id))
	if err != nil {
		return err
	}
	if a.Status != "failed" || a.RetCode != 1200 {
		return fmt.Errorf("want a refusal, got %s", a)
	}
	return nil
}

func streamRefused(params, message string) func(*visit) error {
	return func(v *visit) error {
		p, err := v.packets("upload_file_stream", params)
		if err != nil {
			return err
		}
		last := p[len(p)-1]
		if err := matches(last.raw, streamError); err != nil {
			return err
		}
		return v.refusal(last, 1200, message)
	}
}

func uploadAndSend(v *visit) error {
	path, err := v.upload("conform.txt", "hello")
	if err != nil {
		return err
	}
	return shows(fmt.Sprintf(`[{"type":"file","data":{"file":%q,"name":"conform.txt"}}]`, path), `[{type:"file", data:{file:"conform.txt", file_id:str, file_size:"5"}}]`)(v)
}

func downloadChunks(v *visit) error {
	content := strings.Repeat("0123456789", 10)
	path, err := v.upload("long.txt", content)
	if err != nil {
		return err
	}
	var sent struct {
		MessageID int64 `json:"message_id"`
	}
	if err := v.ask("send_group_msg", fmt.Sprintf(`{"group_id":$group,"message":[{"type":"file","data":{"file":%q,"name":"long.txt"}}]}`, path), &sent); err != nil {
		return err
	}
	var m struct {
		Message []struct {
			Data struct {
				FileID string `json:"file_id"`
			} `json:"data"`
		} `json:"message"`
	}
	if err := v.ask("get_msg", fmt.Sprintf(`{"message_id":%d}`, sent.MessageID), &m); err != nil {
		return err
	}
	p, err := v.packets("download_file_stream", fmt.Sprintf(`{"file_id":%q,"chunk_size":30}`, m.Message[0].Data.FileID))
	if err != nil {
		return err
	}
	if len(p) != 6 {
		return fmt.Errorf("%d packets, want 6: %v", len(p), p)
	}
	if err := matches(p[0].Data, `{type:"stream", data_type:"file_info", file_name:str, file_size:int, chunk_size:30}`); err != nil {
		return err
	}
	var got strings.Builder
	for i, a := range p[1:5] {
		if err := matches(a.Data, fmt.Sprintf(`{type:"stream", data_type:"file_chunk", index:%d, data:str, size:int, progress:int, base64_size:int}`, i)); err != nil {
			return err
		}
		var d struct {
			Data []byte `json:"data"`
		}
		if err := json.Unmarshal(a.Data, &d); err != nil {
			return err
		}
		got.Write(d.Data)
	}
	if got.String() != content {
		return fmt.Errorf("the chunks are %q", got.String())
	}
	return matches(p[5].Data, `{type:"response", data_type:"file_complete", total_chunks:4, total_bytes:100, message:str}`)
}

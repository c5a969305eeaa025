package alias

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestNumber(t *testing.T) {
	for s, want := range map[string]int64{
		"": 0, " ": 0, "null": 0, "undefined": 0, "0": 0, "5": 5, " 5 ": 5, "-42": -42, "9223372036854775807": 9223372036854775807,
	} {
		if got := Number(s); got != want {
			t.Errorf("%q: %d", s, got)
		}
	}
	seen := map[int64]string{}
	for _, s := range []string{
		"7B5C0D", "7b5c0d", "abc-1", "1E5", "12E45678", "007", "-0", "-", "-x", "1.0", "+5", "0x10", "用户", "18446744073709551616",
		"ROBOT1.0_7c9e6679-7425-40de-944b-e07fc1f90ae7!", `a"b\c`,
	} {
		n := Number(s)
		if !Is(n) || n != Number(s) {
			t.Errorf("%q became %d", s, n)
		}
		if other, ok := seen[n]; ok {
			t.Errorf("%q and %q share %d", s, other, n)
		}
		if int64(float64(n)) != n || len(fmt.Sprint(n)) != width {
			t.Errorf("%q became %d, which a JavaScript number does not hold", s, n)
		}
		seen[n] = s
	}
	for _, n := range []int64{0, 1, -1, -1 << 31, first - 1, last + 1, -1 << 62, 1 << 52} {
		if Is(n) {
			t.Errorf("%d stands for an id", n)
		}
	}
}

func TestTable(t *testing.T) {
	var tab Table
	text := []byte(`{"text":"-5","n":-6e3}`)
	if got := tab.Restore(nil, text); string(got) != string(text) || tab.Used() {
		t.Errorf("an empty table makes %s", got)
	}
	tab.Learn([]byte(`{"user_id":"5","group_id":700000001,"file_id":null,"message":[{"type":"at","data":{"qq":"3001"}}]}`))
	if tab.Used() {
		t.Error("numbers were learned")
	}
	tab.Learn([]byte(`{"user_id" : "A\u0042\"C","group_id":"g-1","sender":{"user_id":"AB\"C"},"message":"[CQ:reply,id=m-1][CQ:at,qq=Z9] x","list":[{"uin":"u\\n"}],"id":"` + string(make([]byte, 0)) + `"}`))
	for _, s := range []string{`AB"C`, "g-1", "m-1", "Z9", `u\n`} {
		n := Of(s)
		in := fmt.Sprintf(`{"a":%d,"b":["%d", %d ],"text":"x %d,%d,\"%d\"","c":-12}`, n, n, n, n, n, n)
		quoted, _ := json.Marshal(s)
		want := fmt.Sprintf(`{"a":%s,"b":[%s, %s ],"text":"x %d,%d,\"%d\"","c":-12}`, quoted, quoted, quoted, n, n, n)
		if got := tab.Restore([]byte("<"), []byte(in)); string(got) != "<"+want {
			t.Errorf("%q:\n%s\n%s", s, got, want)
		}
	}
	unknown := fmt.Sprintf(`{"a":%d}`, Of("never seen"))
	if got := tab.Restore(nil, []byte(unknown)); string(got) != unknown {
		t.Errorf("an unknown id became %s", got)
	}
}

// What is in use outlives any number of others.
func TestTableForgets(t *testing.T) {
	var tab Table
	used := fmt.Sprintf(`%d`, Of("group"))
	tab.Learn([]byte(`{"group_id":"group"}`))
	for i := range 5 * maxNames {
		tab.Learn(fmt.Appendf(nil, `{"message_id":"m-%d"}`, i))
		if i%1000 == 0 {
			if got := tab.Restore(nil, []byte(used)); string(got) != `"group"` {
				t.Fatalf("after %d: %s", i, got)
			}
		}
	}
	if n := len(tab.young) + len(tab.old); n > 2*maxNames {
		t.Errorf("%d are held", n)
	}
	if got := tab.Restore(nil, fmt.Appendf(nil, "%d", Of("m-0"))); string(got) == `"m-0"` {
		t.Error("the first is still known")
	}
}

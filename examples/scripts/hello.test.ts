import { friend, group, test, want, wantNothing } from "ncat/test";

test("answers twice", () => {
  friend(1).says("测试");
  want("NcatBot 测试成功喵~", "NcatBot 测试成功喵~");
  group(5).from(1).says("测试");
  wantNothing();
});

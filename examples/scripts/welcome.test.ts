import { group, test, wantCall, wantLike, wantNoCall } from "ncat/test";

test("welcomes", () => {
  group(5).from(7).joins();
  wantLike("welcome");
});

test("recalls spam", () => {
  group(5).from(7).says("加群领红包啦");
  wantCall("delete_msg");
});

test("only administrators mute", () => {
  group(5).from(7).says("/mute 8 1m");
  wantNoCall("set_group_ban");
  group(5).from(8).says("hello");
  group(5).admin(9).says("/mute 8 1m");
  wantCall("set_group_ban", { group_id: 5, user_id: 8, duration: 60 });
});

import { friend, test, want, wantLike } from "ncat/test";

test("pings", () => {
  friend(1).says("/ping 7");
  want("pong 7");
  friend(1).says("/ping many");
  wantLike("n");
});

import { friend, pass, restart, test, want, wantNothing } from "ncat/test";

test("reminds, also after a restart", () => {
  friend(1).says("/remind 1h tea is ready");
  want("all right");
  pass("30m");
  wantNothing();
  restart();
  pass("31m");
  want("tea is ready");
  pass("1h");
  wantNothing();
});

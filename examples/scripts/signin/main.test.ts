import { group, pass, test, wantLike } from "ncat/test";

test("counts days in a row", () => {
  const ann = group(5).from(1);
  ann.says("签到");
  wantLike("day 1 in a row, 6 points");
  ann.says("签到");
  wantLike("done already");
  pass("24h");
  ann.says("签到");
  wantLike("day 2 in a row, 13 points");
  pass("48h");
  ann.says("签到");
  wantLike("day 1 in a row, 19 points");
});

import { group, pass, sent, test, wantLike, wantNothing, want } from "ncat/test";

test("the first who knows wins", () => {
  group(5).from(1).says("/quiz");
  const [a, b] = sent()[0].split(" = ")[0].split(" + ").map(Number);
  group(5).from(2).says("100");
  wantNothing();
  group(5).from(3).says(`${a + b}`);
  wantLike("right!");
});

test("time is up", () => {
  group(5).from(1).says("/quiz");
  const [a, b] = sent()[0].split(" = ")[0].split(" + ").map(Number);
  pass("31s");
  want(`nobody knew: ${a + b}`);
});

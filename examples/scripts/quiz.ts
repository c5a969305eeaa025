import { command, NoAnswerError } from "ncat";

// A question to the whole group: who is first wins.
command("quiz", async (m) => {
  const a = Math.ceil(Math.random() * 9), b = Math.ceil(Math.random() * 9);
  try {
    const end = Date.now() + 30_000;
    for (let question: string | null = `${a} + ${b} = ?`; ; question = null) {
      const answer = await m.ask(question, { within: Math.max(end - Date.now(), 1), fromAnyone: true });
      if (Number(answer.text) === a + b) return await answer.quote("right!");
    }
  } catch (e) {
    if (!(e instanceof NoAnswerError)) throw e;
    await m.reply(`nobody knew: ${a + b}`);
  }
}, { cooldown: "10s" });

import { arg, command, schedule, store } from "ncat";

interface Reminder { at: number; user: number; text: string }

// Reminders stand in the store, so that they survive a restart.
command("remind", { after: arg.duration(), text: arg.rest() }, async (m, { after, text }) => {
  const at = Date.now() + after;
  await store.put(`due/${String(at).padStart(15, "0")}/${m.message_id}`, { at, user: m.user_id, text } satisfies Reminder);
  await m.reply("all right");
}, { help: "remind me later" });

schedule("look", "every 10s", async (bot) => {
  for (const { key, value } of await store.scan<Reminder>("due/")) {
    if (value.at > Date.now()) break;
    await bot.accounts[0].sendPrivate(value.user, value.text);
    await store.delete(key);
  }
});

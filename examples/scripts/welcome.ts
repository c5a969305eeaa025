import { at, command, arg, keyword, on, onGroup, stop } from "ncat";

on("notice.group_increase", (e) => e.bot.sendGroup(e.group_id, at(e.user_id), " welcome"));

onGroup(keyword("加群领红包"), async (m) => {
  await m.recall();
  return stop;
}, { priority: 200, name: "no spam" });

command("mute", { who: arg.user(), time: arg.duration({ default: "10m" }) },
  (m, { who, time }) => m.bot.ban(m.group_id!, who, time), { need: "group.admin", help: "quiet, please" });

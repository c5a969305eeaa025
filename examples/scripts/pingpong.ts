import { arg, command } from "ncat";

command("ping", { n: arg.int({ default: 1 }) }, (m, { n }) => m.reply("pong ", n), { help: "is the bot there?" });

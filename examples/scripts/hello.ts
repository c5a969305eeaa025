import { onPrivate, textIs } from "ncat";

onPrivate(textIs("测试"), async (m) => {
  m.reply("NcatBot 测试成功喵~");
  await m.reply("NcatBot 测试成功喵~");
});

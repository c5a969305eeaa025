// A bot on node-napcat-ts, as ncatd runs it.
import { NCWebsocket, Structs } from 'node-napcat-ts'
import { note } from './heard.cjs'

const bot = new NCWebsocket({
  baseUrl: process.env.ONEBOT_URL,
  accessToken: process.env.ONEBOT_TOKEN,
  reconnection: { enable: true, attempts: 1000, delay: 200 },
})
bot.on('message.group', (m) => {
  note(m.raw_message, m.replayed)
  const found = /^\/napcat-ts (.*)/.exec(m.raw_message)
  if (found) bot.send_group_msg({ group_id: m.group_id, message: [Structs.text('napcat-ts: ' + found[1])] })
})
await bot.connect()

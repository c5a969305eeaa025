// A bot on Koishi that waits for a reverse WebSocket.
const { Context } = require('koishi')
const HTTP = require('@koishijs/plugin-http')
const Server = require('@koishijs/plugin-server')
const OneBot = require('koishi-plugin-adapter-onebot')
const { note } = require('./heard.cjs')

const app = new Context({ prefix: '/' })
app.plugin(HTTP.default)
app.plugin(Server.default, { host: '127.0.0.1', port: Number(process.env.WAITS) })
app.plugin(OneBot.default, { selfId: process.env.ONEBOT_SELF_ID, token: process.env.ONEBOT_TOKEN, protocol: 'ws-reverse' })
app.on('message', (session) => note(session.content))
app.command('koishi <text:text>').action((_, text) => 'koishi: ' + text)
app.start()

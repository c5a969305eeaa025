// A bot on Koishi, as ncatd runs it: it finds its account in the environment.
const { Context } = require('koishi')
const HTTP = require('@koishijs/plugin-http')
const OneBot = require('koishi-plugin-adapter-onebot')
const { note } = require('./heard.cjs')

const app = new Context({ prefix: '/' })
app.plugin(HTTP.default)
app.plugin(OneBot.default, {
  selfId: process.env.ONEBOT_SELF_ID,
  token: process.env.ONEBOT_TOKEN,
  protocol: 'ws',
  endpoint: process.env.ONEBOT_URL,
  retryTimes: 1000,
  retryInterval: 200,
})
app.on('message', (session) => note(session.content))
app.command('koishi <text:text>').action((_, text) => 'koishi: ' + text)
app.start()

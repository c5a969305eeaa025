// Runs Koishi, a framework that nobody here wrote, with its OneBot adapter
// against the simulator (`ncatd sim onebot`): it connects, hears friends and
// groups, answers commands, sees its own account, members and refusals.
//
//	node koishi.cjs PATH-OF-NCATD
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { createInterface } = require('node:readline')
const { Context, h } = require('koishi')
const HTTP = require('@koishijs/plugin-http')
const OneBot = require('koishi-plugin-adapter-onebot')

const FRIEND = 3001000001
const GROUP = 700000001
const SELF = 3889001001
const token = 'peers-token-0123456789'

const sim = spawn(process.argv[2], ['sim', 'onebot', '--port', '0', '--token', token, '--uin', String(SELF)], { stdio: ['pipe', 'pipe', 'inherit'] })
const lines = []
const heard = []
const waiting = new Set()
const wakeAll = () => {
  for (const wake of waiting) wake()
}
createInterface({ input: sim.stdout }).on('line', (line) => {
  lines.push(JSON.parse(line))
  wakeAll()
})
const tell = (deed) => sim.stdin.write(JSON.stringify(deed) + '\n')

// until returns the first thing of list that pick takes, now or within ms; null
// after that.
async function until(list, pick, ms = 15_000) {
  const deadline = Date.now() + ms
  for (;;) {
    const i = list.findIndex(pick)
    if (i >= 0) return list.splice(i, 1)[0]
    if (Date.now() >= deadline) return null
    await new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, deadline - Date.now())
      waiting.add(wake)
    })
  }
}

// ask says text until the bot has heard it (a host without a client drops what
// is said) and returns what the bot sends with answer in it.
async function ask(chat, text, answer) {
  for (let i = 0; i < 15; i++) {
    tell({ say: { ...chat, text } })
    if (await until(heard, (s) => s.content.includes(text.split(' ').pop()), 1000)) {
      const line = await until(lines, (l) => l.sent && JSON.stringify(l.sent).includes(answer))
      assert(line, `no answer to ${text}`)
      return line.sent
    }
  }
  assert.fail(`${text} was never heard`)
}

async function main() {
  const first = await until(lines, (l) => l.listening)
  const app = new Context({ prefix: '/' })
  app.plugin(HTTP.default)
  app.plugin(OneBot.default, { selfId: String(SELF), token, protocol: 'ws', endpoint: `ws://${first.listening[0].addr}`, retryTimes: 10, retryInterval: 200 })
  app.command('echo <text:text>').action(({ session }, text) => h('quote', { id: session.messageId }) + 'echo: ' + text)
  app.on('message', (s) => {
    heard.push({ content: s.content, userId: s.userId, channelId: s.channelId })
    wakeAll()
  })
  await app.start()

  const private_ = await ask({ user: FRIEND }, '/echo one', 'echo: one')
  assert.equal(private_.user, FRIEND)
  const group = await ask({ group: GROUP }, '/echo two', 'echo: two')
  assert.equal(group.group, GROUP)
  assert.equal(group.message[0].type, 'reply')

  const bot = app.bots[0]
  assert.equal(bot.platform, 'onebot')
  assert.equal((await bot.internal.getLoginInfo()).user_id, SELF)
  assert((await bot.getFriendList()).data.some((f) => f.id === String(FRIEND)))
  assert((await bot.getGuildList()).data.some((g) => g.id === String(GROUP)))
  assert((await bot.getGuildMemberList(String(GROUP))).data.length > 1)
  const [id] = await bot.sendMessage(String(GROUP), [h.at(String(FRIEND)), h.text('a & [b]')])
  assert(await until(lines, (l) => l.sent && JSON.stringify(l.sent).includes('a & [b]')))
  const back = await bot.getMessage(String(GROUP), id)
  assert.match(back.content, /a &amp; \[b\]/)
  await bot.deleteMessage(String(GROUP), id)
  await assert.rejects(bot.internal.getMsg(1), /1200|消息不存在/)
}

const guard = setTimeout(() => {
  console.error('koishi: still running after 90 s')
  process.exit(1)
}, 90_000)
main()
  .then(() => console.log('koishi: connects, receives, sends, reads back, is refused: ok'))
  .catch((err) => {
    console.error('koishi:', err)
    process.exitCode = 1
  })
  .finally(() => {
    clearTimeout(guard)
    sim.stdin.end()
    sim.kill()
    process.exit()
  })

// Runs node-napcat-ts, a client that nobody here wrote, against the simulator
// (`ncatd sim onebot`): it connects, receives events, sends, gets results and
// refusals, sees a refused token, and connects again after a dropped link. So
// the simulator and our own client cannot agree on something that only they
// hold true.
//
//	node node-napcat-ts.mjs PATH-OF-NCATD
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { NCWebsocket, Structs } from 'node-napcat-ts'

const FRIEND = 3001000001
const GROUP = 700000001
const token = 'peers-token-0123456789'

const sim = spawn(process.argv[2], ['sim', 'onebot', '--port', '0', '--token', token], { stdio: ['pipe', 'pipe', 'inherit'] })
const lines = []
const readers = []
createInterface({ input: sim.stdout }).on('line', (line) => {
  lines.push(JSON.parse(line))
  for (const wake of readers.splice(0)) wake()
})

// until returns the first thing of list that pick takes, now or later.
async function until(what, list, waiting, pick) {
  const deadline = Date.now() + 10_000
  for (;;) {
    const i = list.findIndex(pick)
    if (i >= 0) return list.splice(i, 1)[0]
    assert(Date.now() < deadline, `waited in vain for ${what}`)
    await new Promise((wake) => {
      waiting.push(wake)
      setTimeout(wake, 200)
    })
  }
}
const fromSim = (what, pick) => until(what, lines, readers, pick)
const world = async (deed) => {
  sim.stdin.write(JSON.stringify(deed) + '\n')
  const answer = await fromSim('an answer of the world', (l) => 'done' in l || 'error' in l)
  assert(!answer.error, JSON.stringify(answer))
  return answer.done
}

async function main() {
  const { listening } = await fromSim('the address', (l) => l.listening)
  const [host, port] = listening[0].addr.split(':')
  const where = { protocol: 'ws', host, port: Number(port) }

  const events = []
  const waiting = []
  const note = (name) => (e) => {
    events.push({ name, e })
    for (const wake of waiting.splice(0)) wake()
  }
  const event = (what, pick) => until(what, events, waiting, pick)

  // A wrong token: one frame with the refusal, then the end.
  const stranger = new NCWebsocket({ ...where, accessToken: 'wrong', reconnection: { enable: false } })
  stranger.on('socket.error', note('refused'))
  await stranger.connect()
  const refused = await event('the refusal', (x) => x.name === 'refused')
  assert.equal(refused.e.info.errno, 1403)

  const bot = new NCWebsocket({ ...where, accessToken: token, apiTimeout: 5000, reconnection: { enable: true, attempts: 5, delay: 200 } })
  for (const name of ['meta_event.lifecycle', 'message.private', 'message.group', 'notice', 'socket.close']) bot.on(name, note(name))
  await bot.connect()
  const hello = await event('the lifecycle', (x) => x.name === 'meta_event.lifecycle')
  assert.equal(hello.e.sub_type, 'connect')

  // Results.
  const me = await bot.get_login_info()
  assert.equal(me.user_id, hello.e.self_id)
  const version = await bot.get_version_info()
  assert.equal(version.app_name, 'NapCat.Onebot')
  assert((await bot.get_friend_list()).some((f) => f.user_id === FRIEND))
  assert((await bot.get_group_list()).some((g) => g.group_id === GROUP))
  const many = await Promise.all(Array.from({ length: 200 }, () => bot.get_status()))
  assert(many.every((s) => s.online === true))

  // Events, and answers to them.
  await world({ say: { user: FRIEND, text: '你好' } })
  const priv = await event('the private message', (x) => x.name === 'message.private')
  assert.equal(priv.e.raw_message, '你好')
  assert.equal(priv.e.user_id, FRIEND)
  await priv.e.quick_action([Structs.text('再见')])
  const echoed = await fromSim('the answer', (l) => l.sent && JSON.stringify(l.sent).includes('再见'))
  assert(echoed)
  await world({ say: { group: GROUP, text: '[CQ:face,id=14]hi' } })
  const group = await event('the group message', (x) => x.name === 'message.group')
  assert.equal(group.e.group_id, GROUP)
  assert.deepEqual(group.e.message.map((s) => s.type), ['face', 'text'])
  const sent = await bot.send_group_msg({ group_id: GROUP, message: [Structs.reply(group.e.message_id), Structs.at(group.e.user_id), Structs.text('pong & [1,2]')] })
  assert(Number.isInteger(sent.message_id) && sent.message_id > 0)
  await fromSim('the group answer', (l) => l.sent && JSON.stringify(l.sent).includes('pong & [1,2]'))
  const got = await bot.get_msg({ message_id: sent.message_id })
  assert.equal(got.message.at(-1).data.text, 'pong & [1,2]')
  await bot.delete_msg({ message_id: sent.message_id })

  // Refusals.
  await assert.rejects(bot.send('no_such_action', {}), (r) => r.retcode === 1404)
  await assert.rejects(bot.send('set_group_ban', {}), (r) => r.retcode === 1400)
  await assert.rejects(bot.get_msg({ message_id: 1 }), (r) => r.retcode === 1200)

  // A dropped link.
  await world({ drop: { mode: 'close' } })
  await event('the end of the link', (x) => x.name === 'socket.close')
  await event('the next lifecycle', (x) => x.name === 'meta_event.lifecycle')
  assert.equal((await bot.get_status()).online, true)
  await bot.disconnect()
}

const guard = setTimeout(() => {
  console.error('node-napcat-ts: still running after 60 s')
  process.exit(1)
}, 60_000)
try {
  await main()
  console.log('node-napcat-ts: connects, receives, sends, is refused, connects again: ok')
} catch (err) {
  console.error('node-napcat-ts:', err)
  process.exitCode = 1
} finally {
  clearTimeout(guard)
  sim.stdin.end()
  sim.kill()
}

// Runs bots on the libraries that Python frameworks stand on (FastAPI with uvicorn, Quart
// with hypercorn, websockets, aiohttp), in the forms in which NoneBot, AstrBot, MaiBot and
// NcatBot use them, as apps of one ncatd on the simulator. Each hears what was said,
// in order, once, and answers once, also over cut links, a NapCat that dies and an ncatd
// that is killed.
//
//	node python.mjs PATH-OF-NCATD [MESSAGES]
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { allUp, freePort, here, lines, newStage, pause } from './stage.mjs'

const { base, home, run, until, sim, play } = newStage(resolve(process.argv[2]))
const total = Number(process.argv[3] ?? 3000)
const GROUP = 700000001
const USER = 3001000001

const reverse = (port, path) => `    transports: [reverse]\n    reverse: {url: "ws://127.0.0.1:${port}${path}", interval: 500ms}\n`
const bots = {
  fastapi_reverse: (p) => reverse(p, '/onebot/v11/ws'),
  quart_split: (p) => `    transports: [reverse]\n    reverse: {api_url: "ws://127.0.0.1:${p}/ws/api/", event_url: "ws://127.0.0.1:${p}/ws/event/", interval: 500ms}\n`,
  websockets_reverse: (p) => reverse(p, '/'),
  websockets_forward: () => '',
  aiohttp_forward: () => '',
  aiohttp_webhook: (p) => `    transports: [webhook]\n    webhook: {url: "http://127.0.0.1:${p}/"}\n`,
  aiohttp_sse: (_, p) => `    transports: [sse, http]\n    listen: {port: ${p}}\n`,
}
const names = Object.keys(bots)
const heard = (name) => join(base, name + '.heard')
const kebab = (name) => name.replace('_', '-')

// message returns the i-th thing that is said: every 50th asks one of the bots.
const message = (i) => (i % 50 === 0 ? `/${kebab(names[(i / 50) % names.length])} ask ${i}` : `n ${i}`)
const number = (text) => Number(/(\d+)$/.exec(text)[1])

async function main() {
  let yaml = 'accounts: [{name: main}]\nbot: {send_rate: ""}\nsupervisor: {restart: {initial: 500ms, max: 2s, score_limit: 1000}}\napps:\n'
  for (const name of names) {
    const [waits, calls] = [await freePort(), await freePort()]
    const env = { NAME: kebab(name), HEARD: heard(name), WAITS: String(waits), CALLS: `http://127.0.0.1:${calls}`, CUTS: '100', PYTHONUNBUFFERED: '1' }
    yaml += `  - name: ${kebab(name)}\n    run: {command: ["/usr/bin/python3", "python/${name}.py"], dir: ${JSON.stringify(here)}, env: ${JSON.stringify(env)}}\n` + bots[name](waits, calls)
  }
  writeFileSync(join(home, 'ncatd.yaml'), yaml, { mode: 0o600 })
  run('start', '--sim', '--yes', '-d')
  let first = await until('all apps', allUp)
  const say = async (from, to) => {
    for (let i = from; i <= to; i++) await sim('say', { group: GROUP, user: USER, text: message(i), unheard: true })
  }
  const third = Math.floor(total / 3)
  // most waits until all but the last tenth was heard, so that a kill hits the rest.
  const most = async (said) => {
    const deadline = Date.now() + 60_000
    while (names.some((name) => lines(heard(name)).length < said - third / 10) && Date.now() < deadline) await pause(20)
  }
  await say(1, third)
  await most(third)
  await sim('crash', { master: true })
  await until('NapCat again', (st) => st.accounts[0].restarts > 0 && allUp(st))
  await pause(1100) // what is said in the second in which it began it only has in its history, and of that 500 are fetched
  await say(third + 1, 2 * third)
  await most(2 * third)
  process.kill(first.pid, 'SIGKILL')
  run('start', '--sim', '--yes', '-d')
  const last = await until('all apps after ncatd was killed', (st) => st.pid !== first.pid && allUp(st))
  await say(2 * third + 1, total)
  // What QQ lost itself when it was killed nobody heard.
  const there = new Set()
  for (const [, n] of JSON.stringify(await sim('world', null)).matchAll(/"(?:n|\/[a-z-]+ ask) (\d+)"/g)) there.add(Number(n))
  for (const name of names) for (const text of lines(heard(name))) there.add(number(text))
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(500)) {
    if (names.every((name) => new Set(lines(heard(name))).size >= there.size)) break
  }
  await pause(1500) // what would come twice
  assert(there.size > total * 0.9, `only ${there.size} of ${total} were said`)
  const sent = await sim('sent', { after: 0 })
  for (const name of names) {
    const got = lines(heard(name)).map(number)
    const lost = [...there].filter((n) => !got.includes(n))
    const wrong = got.filter((n, k) => k > 0 && n <= got[k - 1])
    assert.deepEqual({ lost, wrong }, { lost: [], wrong: [] }, name)
    for (const n of there) {
      if (message(n) !== `/${kebab(name)} ask ${n}`) continue
      const answers = sent.filter((s) => s.text.endsWith(`${kebab(name)}: ask ${n}`)).length
      // A call that a kill or a cut hits is not made again.
      const calm = n % third > 0 && n % third < 0.8 * third && name !== 'websockets_forward'
      assert(answers === 1 || (answers === 0 && !calm), `${name} answered ask ${n} ${answers} times`)
    }
  }
  for (const a of last.apps) assert.equal(a.pid, first.apps.find((b) => b.name === a.name).pid, `${a.name} was restarted`)
  console.log(`python: ${there.size} messages to ${names.length} bots, each once and in order, over cuts and kills: ok`)
}

play('python', main)

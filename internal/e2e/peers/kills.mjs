// Kills ncatd with -9 at random moments, with two companions: there are never two
// copies of a companion or of NapCat, and what the companions hear in all is exact.
//
//	node kills.mjs PATH-OF-NCATD PATH-OF-ZEROBOT-APP [KILLS]
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { allUp, freePort, here, lines, newStage, pause } from './stage.mjs'

const { base, home, run, until, sim, statusOrNull, play } = newStage(resolve(process.argv[2]))
const kills = Number(process.argv[4] ?? 6)
const names = ['napcat-ts', 'zerobot']
const heard = (name) => join(base, name + '.heard')

// copies counts the processes that have a text in their environment.
function copies(text) {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(text)
    } catch {
      return false // it has ended
    }
  }).length
}

async function main() {
  const port = await freePort()
  writeFileSync(
    join(home, 'ncatd.yaml'),
    `accounts: [{name: main}]
supervisor: {restart: {initial: 500ms, max: 2s, score_limit: 1000}}
apps:
  - name: napcat-ts
    run: {command: [node, apps/napcat-ts.mjs], dir: ${JSON.stringify(here)}, env: {HEARD: ${JSON.stringify(heard('napcat-ts'))}}}
  - name: zerobot
    run: {command: [${JSON.stringify(resolve(process.argv[3]))}], env: {HEARD: ${JSON.stringify(heard('zerobot'))}, WAITS: "${port}"}}
    transports: [reverse]
    reverse: {url: "ws://127.0.0.1:${port}/", interval: 500ms}
`,
    { mode: 0o600 },
  )
  run('start', '--sim', '--yes', '-d')
  await until('all apps', allUp)
  let n = 0
  const say = () => sim('say', { group: 700000001, user: 3001000001, text: `m ${++n}`, unheard: true })
  let most = 0
  const look = () => {
    for (const name of names) {
      const c = copies('HEARD=' + heard(name))
      most = Math.max(most, c)
      assert(c <= 1, `${c} copies of ${name}`)
    }
  }
  const lastBefore = []
  for (let k = 0; k < kills; k++) {
    const { pid } = statusOrNull()
    const dies = pause(Math.random() * 2500).then(() => process.kill(pid, 'SIGKILL'))
    let dead = false
    dies.then(() => (dead = true))
    while (!dead) {
      await say()
      await pause(20)
    }
    look()
    lastBefore.push(n)
    for (let i = 0; i < 3; i++) await say() // nobody hears it
    run('start', '--sim', '--yes', '-d')
    look()
    if (k % 3 === 2) await until('all apps', allUp)
    else await until('ncatd', (st) => st.pid && st.pid !== pid)
    look()
  }
  await until('all apps', allUp)
  for (let i = 0; i < 3; i++) await say()
  const want = Array.from({ length: n }, (_, i) => `m ${i + 1}`)
  const twice = {}
  const marks = {}
  for (const name of names) {
    const deadline = Date.now() + 60_000
    while (want.some((w) => !lines(heard(name)).includes(w)) && Date.now() < deadline) await pause(500)
    const got = lines(heard(name))
    assert.deepEqual(want.filter((w) => !got.includes(w)), [], `${name} lost messages`)
    const again = got.filter((w, i) => got.indexOf(w) < i)
    twice[name] = again.length
    // Whether an event had arrived that was on its way when ncatd died, nobody can tell.
    const unsure = new Set(lastBefore.flatMap((l) => [`m ${l - 1}`, `m ${l}`]))
    assert.deepEqual(again.filter((w) => !unsure.has(w)), [], `${name} heard messages again`)
    const replayed = lines(heard(name) + '.replayed')
    assert.deepEqual(again.filter((w) => !replayed.includes(w)), [], `${name} heard messages again without the mark`)
    marks[name] = replayed.length
    assert(again.length <= 1 + kills / 10, `${name} heard ${again} again`)
    if (name === 'napcat-ts') assert.deepEqual([...new Set(got)], want, `${name}: the order`) // ZeroBot handles events side by side
  }
  const { displaced } = await sim('state', null)
  assert.equal(displaced, 0, 'NapCat ran twice')
  assert.equal(most, 1)
  console.log(`kills: ncatd killed ${kills} times, ${n} messages: no second copy, nothing lost, later with the mark ${JSON.stringify(marks)}, of it twice ${JSON.stringify(twice)}: ok`)
}

play('kills', main)

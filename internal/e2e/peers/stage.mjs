// What the scripts of this folder share: one home on the simulator, its status, and
// the people of the simulator, who are told what to say without a process a message.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, existsSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = fileURLToPath(new URL('.', import.meta.url))
export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms))

export const freePort = () =>
  new Promise((done) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address()
      s.close(() => done(port))
    })
  })

export function newStage(ncatd) {
  const base = mkdtempSync(join(tmpdir(), 'ncatd-apps-'))
  const home = join(base, 'home')
  mkdirSync(home)
  const keep = new Agent({ keepAlive: true, maxSockets: 8 })
  const run = (...args) => execFileSync(ncatd, [...args, '--home', home], { encoding: 'utf8', timeout: 120_000, stdio: ['ignore', 'pipe', 'pipe'] })
  const statusOrNull = () => {
    try {
      return JSON.parse(execFileSync(ncatd, ['status', '--json', '--home', home], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    } catch (err) {
      try {
        return JSON.parse(err.stdout) // the exit code tells that not all is well yet
      } catch {
        return null
      }
    }
  }
  // until waits for something that holds of the status.
  async function until(what, holds, seconds = 120) {
    const deadline = Date.now() + seconds * 1000
    for (;;) {
      const st = statusOrNull()
      if (st && holds(st)) return st
      assert(Date.now() < deadline, `waited in vain for ${what}: ${JSON.stringify(st?.accounts?.map((a) => [a.state, a.reason]))} ${JSON.stringify(st?.apps)}`)
      await pause(300)
    }
  }
  // sim runs one command of the simulator, and tries until there is one.
  async function sim(command, body, seconds = 60) {
    for (const deadline = Date.now() + seconds * 1000; ; await pause(20)) {
      const told = await once(command, JSON.stringify(body)).catch((err) => ({ status: 0, text: String(err) }))
      if (told.status === 200) return told.text ? JSON.parse(told.text) : null
      assert(Date.now() < deadline, `simulator: ${command}: ${told.status} ${told.text}`)
    }
  }
  const once = (command, body) =>
    new Promise((done, fail) => {
      const { addr, token } = JSON.parse(readFileSync(join(home, 'accounts', 'main', 'home', '.config', 'QQ', 'sim', 'control.json'), 'utf8'))
      const [host, port] = addr.split(':')
      const r = request({ host, port, path: '/' + command, method: 'POST', agent: keep, headers: { authorization: 'Bearer ' + token } }, (answer) => {
        let text = ''
        answer.on('data', (d) => (text += d))
        answer.on('end', () => done({ status: answer.statusCode, text }))
        answer.on('error', fail)
      })
      r.on('error', fail)
      r.end(body)
    })
  // play runs a script to its end. What it leaves is kept if it fails.
  async function play(name, main) {
    let code = 0
    try {
      await main()
      run('stop')
      rmSync(base, { recursive: true, force: true })
    } catch (err) {
      code = 1
      console.error(`${name}:`, err, 'kept:', base)
      try {
        run('stop')
      } catch {
        // it has stopped
      }
    }
    process.exit(code)
  }
  return { base, home, run, statusOrNull, until, sim, play }
}

export const lines = (file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])
export const allUp = (st) => st.accounts[0].state === 'online' && st.apps.every((a) => a.state === 'online' || a.state === 'connected')

// Follows docs/apps.md literally: the commands below "Koishi" in a shell of their
// own, beside an ncatd on the simulator. What comes of them is a bot that answers.
//
//	node docs.mjs PATH-OF-NCATD
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { here, newStage } from './stage.mjs'

const ncatd = resolve(process.argv[2])
const { base, home, run, until } = newStage(ncatd)

function commands(page, heading) {
  const text = readFileSync(join(here, '../../../docs', page), 'utf8')
  const section = text.split(`\n## ${heading}\n`)[1].split('\n## ')[0]
  return /```sh\n([^]*?)```/.exec(section)[1]
}

async function main() {
  const script = commands('apps.md', 'Koishi')
  assert.equal(commands('apps.zh-CN.md', 'Koishi'), script, 'the two languages')
  mkdirSync(join(base, 'bin'))
  symlinkSync(ncatd, join(base, 'bin', 'ncatd'))
  run('start', '--sim', '--yes', '-d')
  await until('the account', (st) => st.accounts[0].state === 'online')
  const shell = spawn('sh', ['-e', '-c', script], {
    cwd: base, detached: true, stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: join(base, 'bin') + ':' + process.env.PATH, NCATD_HOME: home },
  })
  let ended = false
  shell.on('exit', () => (ended = true))
  try {
    await until('the bot', (st) => {
      assert(!ended, 'the commands ended')
      return st.apps?.[0]?.state === 'connected'
    }, 600)
    const out = run('sim', 'say', '--group', '700000001', '/echo it works', '--wait', '30s')
    assert.match(out, /it works/)
  } finally {
    try {
      process.kill(-shell.pid, 'SIGTERM')
    } catch {
      // it has ended
    }
    run('stop')
  }
}

main()
  .then(() => {
    rmSync(base, { recursive: true, force: true })
    console.log('docs: the commands of docs/apps.md give a Koishi that answers: ok')
    process.exit(0)
  })
  .catch((err) => {
    console.error('docs:', err, 'kept:', base)
    process.exit(1)
  })

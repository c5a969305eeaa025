// Runs bots on other authors' frameworks (Koishi with adapter-onebot, node-napcat-ts,
// ZeroBot, AlemonJS) and a bot behind nginx as apps of one ncatd on the simulator: each hears
// what it asked for and answers once, and none is restarted when NapCat dies or when
// ncatd itself is killed.
//
//	node apps.mjs PATH-OF-NCATD PATH-OF-ZEROBOT-APP
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { allUp, freePort, here, newStage } from './stage.mjs'

const GROUP = '700000001'
const { base, home, run, until } = newStage(resolve(process.argv[2]))

const frameworks = ['koishi', 'napcat-ts', 'zerobot', 'alemon', 'reverse']

// ask says one line and wants one answer of the one app that is meant.
function ask(name, text) {
  const out = run('sim', 'say', '--group', GROUP, `/${name} ${text}`, '--wait', '20s', '--quiet', '700ms')
  const answers = out.split('\n').filter((l) => l.includes(`${name}: ${text}`))
  assert.equal(answers.length, 1, `${name} answered ${JSON.stringify(out)}`)
}

async function main() {
  const [outside, behind] = [await freePort(), await freePort()]
  writeFileSync(
    join(base, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${base}/nginx.pid; error_log ${base}/nginx.log;
events {}
http {
  access_log off; client_body_temp_path ${base}/n1; proxy_temp_path ${base}/n2; fastcgi_temp_path ${base}/n3; uwsgi_temp_path ${base}/n4; scgi_temp_path ${base}/n5;
  server {
    listen 127.0.0.1:${outside};
    location /bot/ws { proxy_pass http://127.0.0.1:${behind}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
  }
}
`,
  )
  const nginx = spawn('nginx', ['-c', join(base, 'nginx.conf'), '-e', join(base, 'nginx.log')], { stdio: 'inherit' })
  const app = (name, command, more = '') => `  - name: ${name}\n    run: {command: ${JSON.stringify(command)}, dir: ${JSON.stringify(here)}${more}}\n`
  writeFileSync(
    join(home, 'ncatd.yaml'),
    'accounts: [{name: main}]\napps:\n' +
      app('koishi', ['node', 'apps/koishi.cjs']) +
      app('napcat-ts', ['node', 'apps/napcat-ts.mjs']) +
      '    events: {prefixes: ["/napcat-ts"]}\n' +
      app('zerobot', [resolve(process.argv[3])]) +
      app('reverse', ['node', 'apps/reverse.cjs'], `, env: {BEHIND: "${behind}"}`) +
      `    transports: [reverse]\n    reverse: {url: "ws://127.0.0.1:${outside}/bot/ws", interval: 500ms}\n`,
    { mode: 0o600 },
  )
  // AlemonJS reads a file in its folder, which is as ncatd prints it, and gives each of
  // its parts a process.
  const alemon = join(home, 'apps', 'alemon')
  cpSync(join(here, 'alemon'), alemon, { recursive: true })
  symlinkSync(join(here, 'node_modules'), join(alemon, 'node_modules'))
  const printed = run('app', 'add', 'alemonjs', 'alemon', '--run', 'node node_modules/alemonjs/bin/alemonc.js start')
  writeFileSync(join(alemon, 'alemon.config.yaml'), printed + `port: ${await freePort()}\nprocessor: {repeated_user_time: 0}\n`)
  try {
    run('start', '--sim', '--yes', '-d')
    const first = await until('all apps', allUp)
    for (const name of frameworks) ask(name, 'one')
    assert.equal(first.apps.find((a) => a.name === 'koishi').refused, 0)

    run('sim', 'crash', '--master')
    await until('NapCat again', (st) => st.accounts[0].restarts > 0 && allUp(st))
    for (const name of frameworks) ask(name, 'two')

    process.kill(first.pid, 'SIGKILL')
    run('start', '--sim', '--yes', '-d')
    const last = await until('all apps after ncatd was killed', (st) => st.pid !== first.pid && allUp(st))
    for (const name of frameworks) ask(name, 'three')
    for (const a of last.apps) {
      if (a.name === 'koishi') continue // its adapter takes itself for offline when a link ends, never dials again, and Node has nothing left to wait for
      assert.equal(a.pid, first.apps.find((b) => b.name === a.name).pid, `${a.name} was restarted`)
    }
    run('stop')
    for (const a of last.apps) assert.throws(() => process.kill(a.pid, 0), `${a.name} outlived ncatd`)
  } finally {
    nginx.kill()
    try {
      run('stop')
    } catch {
      // it has stopped
    }
  }
}

main()
  .then(() => {
    rmSync(base, { recursive: true, force: true })
    console.log('apps: Koishi, node-napcat-ts, ZeroBot, AlemonJS and a bot behind nginx hear, answer once and outlive NapCat and ncatd: ok')
    process.exit(0)
  })
  .catch((err) => {
    console.error('apps:', err, 'kept:', base)
    process.exit(1)
  })

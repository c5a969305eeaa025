// What an owner does in the console besides logging in by a code, each scene on a
// daemon of its own.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { Daemon, Visitor, launch, scan, until, check } from './lib.mjs';

const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
const uin = 3889001001;

// evil is what anybody may be called; it must never run.
const evil = '<img src=x onerror=hit=1>';

// on runs a scene with a daemon whose account is online, unless it says otherwise.
async function on(bin, { config = '', online = true }, scene) {
  const daemon = new Daemon(bin);
  try {
    if (config) writeFileSync(join(daemon.home, 'ncatd.yaml'), config);
    await daemon.start();
    if (online) await daemon.online();
    await scene(daemon);
  } finally { await daemon.close(); }
}

const freePort = () => new Promise((done) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); });
});

const serve = (f) => new Promise((done) => { const s = http.createServer(f).listen(0, '127.0.0.1', () => done(s)); });
const urlOf = (s) => `http://127.0.0.1:${s.address().port}`;

async function visit(browser, daemon, options, scene, ...args) {
  const v = await Visitor.enter(browser, await daemon.link(...args), options);
  try { await scene(v); } finally { await v.close(); }
}

const button = (v, name) => v.page.getByRole('button', { name, exact: true });
const yes = (v) => v.page.locator('dialog[open] button.main').click();

// byPassword goes through all that QQ may ask for after a password.
export const byPassword = (browser, bin) => on(bin, { online: false }, async (daemon) => {
  const md5 = createHash('md5').update('hunter2').digest('hex');
  await daemon.ncatd('sim', 'fault', `accounts=${JSON.stringify([{ uin, nick: 'bot', password_md5: md5, captcha: true, new_device: true }])}`);
  await until('a code', async () => (await daemon.main()).login?.url);
  await visit(browser, daemon, { lang: 'zh', ...phone }, async (v) => {
    await v.go('login/main');
    await v.page.locator('img.qr').waitFor();
    await v.page.locator('#uin').fill(String(uin));
    v.down = true; // the refusal is an answer that the browser notes
    await v.page.locator('#word').fill('wrong');
    await v.page.locator('#word').press('Enter');
    await v.page.locator('main .warn.box[role=status]').waitFor();
    check((await v.page.locator('#word').inputValue()) === '', 'the password stays on the page');
    await v.clean('a wrong password');
    v.down = false;
    await v.page.locator('#word').fill('hunter2');
    await v.page.locator('#word').press('Enter');
    await v.page.locator('[data-step=captcha]').waitFor();
    const link = v.page.locator('section[aria-labelledby=captcha] a.button');
    check((await link.getAttribute('href')).startsWith('https://ti.qq.com/') && (await link.getAttribute('rel')).includes('noopener'), 'no page of the captcha');
    await v.clean('the captcha');
    await v.keyboard('the captcha');
    await v.page.locator('#ticket').fill('t03right');
    await v.page.locator('#randstr').fill('@r');
    await v.page.locator('#randstr').press('Enter');
    await v.page.locator('[data-step=new_device]').waitFor();
    const code = v.page.locator('img.qr');
    await code.waitFor();
    await v.page.waitForFunction(() => document.querySelector('img.qr').naturalWidth > 0);
    check(await scan(code) === (await daemon.main()).login.url, 'the picture is not the code of the new device');
    await v.clean('the new device');
    await daemon.ncatd('sim', 'scan');
    await v.page.locator('main [data-state=online]').waitFor({ timeout: 40000 });
    await v.clean('online by password');
  });
});

// releases upgrades from a slow server, and goes back.
export const releases = (browser, bin) => on(bin, {}, async (daemon) => {
  const dir = join(daemon.home, 'two');
  await daemon.ncatd('sim', 'pack', dir, '--napcat-version', '4.18.19');
  const zip = readFileSync(join(dir, 'NapCat.Shell.zip'));
  const slow = await serve(async (q, a) => {
    a.writeHead(200, { 'Content-Length': zip.length });
    for (let at = 0; at < zip.length && q.method === 'GET'; at += 65536) {
      a.write(zip.subarray(at, at + 65536));
      await new Promise((r) => setTimeout(r, 100));
    }
    a.end();
  });
  try {
    await daemon.ncatd('config', 'set', 'napcat.source', urlOf(slow) + '/NapCat.Shell.zip');
    await daemon.ncatd('config', 'set', 'napcat.sha256', createHash('sha256').update(zip).digest('hex'));
    await daemon.ncatd('reload');
    await visit(browser, daemon, desktop, async (v) => {
      await v.go('releases');
      await v.page.getByText('NapCat 4.18.13 and').waitFor();
      await button(v, 'Upgrade').click();
      await yes(v);
      await v.page.locator('progress[value]').waitFor();
      await v.clean('an upgrade under way');
      await v.page.getByText('NapCat 4.18.19 and').waitFor({ timeout: 60000 });
      await daemon.online();
      check((await daemon.main()).napcat_version === '4.18.19', 'another version runs');
      await v.clean('after an upgrade');
      await button(v, 'Roll back').click();
      await yes(v);
      await v.page.getByText('NapCat 4.18.13 and').waitFor({ timeout: 60000 });
      await daemon.online();
      await v.clean('after going back');
    });
  } finally { slow.close(); }
});

// alerts tries a channel that refuses and one that takes, and is quiet for a while.
export async function alerts(browser, bin) {
  let answer = 401;
  const got = [];
  const hook = await serve((q, a) => {
    let body = '';
    q.on('data', (d) => { body += d; });
    q.on('end', () => { got.push(JSON.parse(body)); a.writeHead(answer); a.end(); });
  });
  const config = `alerts: {language: zh, channels: [{name: hook, kind: webhook, url: "${urlOf(hook)}/"}], rules: [{channels: [hook], hold_off: 1s}]}\n`;
  try {
    await on(bin, { config }, (daemon) => visit(browser, daemon, phone, async (v) => {
      await v.go('alerts');
      v.down = true; // refusals are answers that the browser notes
      await button(v, 'Test hook').click();
      await v.page.locator('.note.bad').getByText('does not accept the secret').waitFor();
      await v.page.locator('.note.bad').getByText('—').waitFor(); // and what helps
      answer = 200;
      await button(v, 'Test hook').click();
      await v.page.getByText('hook has taken the test.').waitFor();
      check(got.at(-1).title.includes('测试'), 'another text came');
      await daemon.ncatd('sim', 'kick');
      await until('an alert', () => got.some((m) => m.items?.some((i) => i.account === 'main')));
      await v.go('accounts');
      await v.go('alerts');
      await v.page.locator('section[aria-labelledby=open] li').first().waitFor();
      await v.clean('something is wrong');
      await v.page.locator('select').selectOption('main');
      await button(v, 'Be quiet').click();
      await button(v, 'End it main').waitFor();
      check(JSON.parse(await daemon.ncatd('alert', 'list', '--json')).silenced[0].account === 'main', 'it is not quiet');
      await v.clean('silenced');
      await button(v, 'End it main').click();
      await button(v, 'End it main').waitFor({ state: 'detached' });
      await v.page.locator('details summary').click();
      await v.page.locator('details li').first().waitFor();
      await v.clean('what was told');
    }));
  } finally { hook.close(); }
}

// plugins switches one, and sees what fails.
export async function plugins(browser, bin) {
  const listen = async () => `listen: {host: 127.0.0.1, port: ${await freePort()}}`;
  const config = `apps:\n  - {name: koishi, transports: [forward], ${await listen()}}\n  - {name: broken, transports: [forward], ${await listen()}, run: {command: ["false"]}}\n`;
  await on(bin, { config }, (daemon) => visit(browser, daemon, { lang: 'zh', ...phone }, async (v) => {
    const dir = join(daemon.home, 'plugins');
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'hello.js'), 'import { onPrivate, textIs } from "ncat";\nonPrivate(textIs("hello"), (m) => m.reply("hi"));\n');
    writeFileSync(join(dir, `${evil}.js`), 'no script (\n');
    await until('both are known', async () => JSON.parse(await daemon.ncatd('plugin', 'list', '--json').catch((e) => e.stdout)).length >= 2);
    await v.go('plugins');
    const card = v.page.locator('article[aria-labelledby="p-hello"]');
    await card.locator('.state.ok').waitFor();
    await v.page.locator('main article .bad.box').first().waitFor();
    await v.page.locator('#app-koishi').waitFor();
    await v.page.locator('article[aria-labelledby="app-broken"] .state.bad').waitFor({ timeout: 40000 });
    check((await v.page.locator('main').innerText()).includes(evil), 'the name of the file is not shown as it is');
    await v.clean('plugins');
    await card.getByRole('button').click();
    await card.locator('.state:not(.ok)').waitFor();
    await daemon.ncatd('sim', 'say', '--user', '3001000001', 'hello', '--wait', '1s').then(() => check(false, 'what is switched off answers'), () => {});
    await card.getByRole('button').click();
    await card.locator('.state.ok').waitFor();
    await daemon.ncatd('sim', 'say', '--user', '3001000001', 'hello');
    await v.clean('switched off and on');
    check(!(await v.page.evaluate(() => window.hit)), 'the name of a file became code');
  }));
}

// evilNames has everybody and everything called by markup.
export const evilNames = (browser, bin) => on(bin, {}, (daemon) => visit(browser, daemon, desktop, async (v) => {
  const [user, group] = ['3001000077', '700000001'];
  const act = (deed, ...args) => daemon.ncatd('sim', 'act', deed, ...args);
  await v.go('events');
  await act('appear', '--user', user, '--text', evil);
  await act('befriend', '--user', user);
  await act('join', '--group', group, '--user', user);
  await act('rename', '--group', group, '--text', evil);
  await act('card', '--group', group, '--user', user, '--text', evil);
  await until('the stream', async () => (await daemon.ncatd('sim', 'say', '--group', group, '--user', user, evil, '--wait', '0s'), v.page.locator('.said').first().isVisible()));
  await act('upload', '--group', group, '--user', user, '--text', `${evil}.txt`);
  await act('request', '--user', '3001000078', '--text', evil).catch(() => {});
  await daemon.ncatd('sim', 'say', '--user', user, evil, '--wait', '0s');
  await v.page.locator('.said').nth(1).waitFor();
  check((await v.page.locator('.line b').first().textContent()) === evil, 'the name is not shown as it is');
  await v.page.locator('select').nth(1).selectOption({ index: 1 }); // a chat by its name
  await v.clean('a chat of evil names');
  await daemon.ncatd('sim', 'kick', '--title', evil, '--text', evil);
  await v.go('accounts');
  await v.page.locator('article [data-state=login_required]').waitFor();
  await v.go('logs');
  await v.page.getByText('onerror').first().waitFor();
  for (const page of ['accounts', 'events', 'logs', 'plugins', 'alerts', 'access']) {
    await v.go(page);
    check(!(await v.page.evaluate(() => window.hit)), `${page}: a name became code`);
    check(!(await v.page.locator('main img:not(.qr), main script').count()), `${page}: a name became markup`);
    await v.clean(`${page} of evil names`);
  }
}));

// hosts shows a fleet. A real one needs a message server: the answers about it are
// put in front of the daemon's.
export const hosts = (browser, bin) => on(bin, {}, (daemon) => visit(browser, daemon, phone, async (v) => {
  const status = { ...await daemon.status(), host: 'here' };
  const far = structuredClone(status);
  Object.assign(far.accounts[0], { name: 'far away', nickname: evil, state: 'login_required' });
  const list = [{ name: 'here', here: true, heard: new Date(), silent: false, status }, { name: 'beijing2', heard: new Date(Date.now() - 600000), silent: true, status: far }];
  await v.page.route('**/v0/watch*', (r) => r.fulfill({ contentType: 'application/x-ndjson', body: JSON.stringify({ kind: 'snapshot', time: new Date(), status }) + '\n' }));
  await v.page.route('**/v0/fleet', (r) => r.fulfill({ json: list }));
  await v.page.reload();
  const section = v.page.locator('section[aria-labelledby="h-beijing2"]');
  await section.locator('article [data-state=login_required]').waitFor();
  check(await section.locator('.bad.box').count() === 1, 'a silent host is not named as such');
  check(!(await section.locator('button, a').count()) && await v.page.locator('article button').count() > 0, 'an account of another host has switches');
  check(!(await v.page.evaluate(() => window.hit)) && !(await section.locator('img').count()), 'a name became markup');
  await v.clean('a fleet');
}));

// ---- Beyond this machine.

function pair(dir, name) {
  mkdirSync(dir, { recursive: true });
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '90', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`,
    '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')], { stdio: 'ignore' });
  return execFileSync('openssl', ['x509', '-in', join(dir, 'cert.pem'), '-noout', '-fingerprint', '-sha256']).toString().split('=')[1].trim();
}

const shown = (port) => new Promise((done, failed) => {
  const s = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => { done(s.getPeerCertificate().fingerprint256); s.destroy(); });
  s.on('error', failed);
});

async function works(browser, daemon, link) {
  const v = await Visitor.enter(browser, link, phone);
  try {
    await v.page.locator('article [data-state=online]').waitFor();
    await v.page.locator('.link.ok').waitFor();
    const [cookie] = await v.context.cookies();
    check(cookie.secure && cookie.httpOnly && cookie.sameSite === 'Strict', `the cookie is ${JSON.stringify(cookie)}`);
    await button(v, 'Restart main').click();
    await yes(v);
    await v.page.locator('article [data-state]:not([data-state=online])').waitFor();
    await v.page.locator('article [data-state=online]').waitFor({ timeout: 40000 });
    await v.clean('over TLS');
  } finally { await v.close(); }
}

// ownCertificate is tls: self, on all addresses.
export async function ownCertificate(browser, bin) {
  const port = await freePort();
  await on(bin, { config: `control: {listen: "0.0.0.0:${port}", tls: self}\n` }, async (daemon) => {
    const told = JSON.parse(await daemon.ncatd('console', '--json'));
    check(told.url.startsWith('https://') && told.fingerprint === await shown(port), `the link is ${told.url}, the fingerprint not that of the certificate`);
    await works(browser, daemon, told.url);
  });
}

// givenFiles is tls: files, with a renewal and a broken one while it runs.
export async function givenFiles(browser, bin) {
  const port = await freePort();
  const daemon = new Daemon(bin);
  const dir = join(daemon.home, 'pki');
  const first = pair(dir, 'localhost');
  writeFileSync(join(daemon.home, 'ncatd.yaml'), `control: {listen: "127.0.0.1:${port}", tls: files, cert: "${dir}/cert.pem", key: "${dir}/key.pem", hosts: [localhost]}\n`);
  try {
    await daemon.start();
    await daemon.online();
    check(await shown(port) === first, 'another certificate is shown');
    await works(browser, daemon, await daemon.link());
    const second = pair(dir, 'localhost');
    await until('the renewed certificate', async () => await shown(port) === second);
    writeFileSync(join(dir, 'key.pem'), 'broken');
    await until('it is told', async () => (await daemon.main()).degraded?.some((d) => d.code === 'cert_unread'));
    check(await shown(port) === second, 'the one before is not shown any more');
    const v = await Visitor.enter(browser, await daemon.link(), desktop);
    await v.page.locator('article .warn.box').getByText('certificate').waitFor();
    await v.clean('a broken certificate');
    await v.close();
    pair(dir, 'localhost');
    await until('all is well', async () => !(await daemon.main()).degraded?.length);
  } finally { await daemon.close(); }
}

// noCertificate starts with files that are not there yet: the bot runs, and the
// console is there as soon as they are.
export async function noCertificate(browser, bin) {
  const port = await freePort();
  const daemon = new Daemon(bin);
  const dir = join(daemon.home, 'pki');
  writeFileSync(join(daemon.home, 'ncatd.yaml'), `control: {listen: "127.0.0.1:${port}", tls: files, cert: "${dir}/cert.pem", key: "${dir}/key.pem", hosts: [localhost]}\n`);
  try {
    await daemon.start();
    await daemon.online();
    await until('it is told', async () => (await daemon.main()).degraded?.some((d) => d.code === 'cert_none'));
    const refused = await daemon.link().then(() => '', (e) => e.stderr);
    check(refused.includes('could not be read'), `a link that leads nowhere: ${refused}`);
    const made = pair(dir, 'localhost');
    await until('the certificate', () => shown(port).then((f) => f === made, () => false));
    await until('all is well', async () => !(await daemon.main()).degraded?.length);
    await works(browser, daemon, await daemon.link());
  } finally { await daemon.close(); }
}

// behindProxy is nginx, which speaks TLS for it.
export async function behindProxy(_, bin) {
  const [inner, outer] = [await freePort(), await freePort()];
  await on(bin, { config: `control: {listen: "127.0.0.1:${inner}", hosts: [bot.example.com], proxies: [127.0.0.1]}\n` }, async (daemon) => {
    const dir = join(daemon.home, 'nginx');
    pair(dir, 'bot.example.com');
    writeFileSync(join(dir, 'nginx.conf'), `daemon off; pid ${dir}/pid; error_log ${dir}/error.log;\nevents {}\nhttp {\n  access_log off; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};\n`
      + `  server {\n    listen 127.0.0.1:${outer} ssl; ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;\n    location / { proxy_pass http://127.0.0.1:${inner}; proxy_http_version 1.1; proxy_buffering off; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto https; }\n  }\n}\n`);
    const nginx = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    const browser = await launch(`--host-resolver-rules=MAP bot.example.com:443 127.0.0.1:${outer}`);
    try {
      await until('nginx', () => shown(outer).catch(() => null));
      const link = await daemon.link();
      check(link.startsWith('https://bot.example.com/#k='), `the link is ${link}`);
      await works(browser, daemon, link);
      const status = await new Promise((done) => http.get({ host: '127.0.0.1', port: inner, localAddress: '127.0.0.2', path: '/', headers: { Host: 'bot.example.com', 'X-Forwarded-For': '127.0.0.1' } }, (a) => { a.resume(); done(a.statusCode); }));
      check(status === 403, `a proxy that is not named is served: ${status}`);
    } finally {
      await browser.close();
      nginx.kill();
    }
  });
}

// The web console in a real browser, on the simulator: node run.mjs BIN [SHOTS]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Daemon, Visitor, launch, scan, until, check, fail } from './lib.mjs';
import * as scenes from './scenes.mjs';

const bin = resolve(process.argv[2]);
const shots = process.argv[3] && resolve(process.argv[3]);
if (shots) mkdirSync(shots, { recursive: true });

const pages = ['accounts', 'events', 'logs', 'plots', 'plugins', 'config', 'releases', 'alerts', 'doctor', 'access'];
const sizes = [{ width: 390, height: 844, name: 'phone' }, { width: 1280, height: 800, name: 'desktop' }];

const daemon = new Daemon(bin);
const browser = await launch();
const only = process.env.ONLY;
const smoke = process.env.SMOKE === '1'; // the short pass of CI

async function test(name, f) {
  if (only && !only.split('|').some((o) => name.includes(o))) return;
  const began = Date.now();
  try {
    await f();
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (e) {
    console.log(`FAIL ${name}\n${e.stack || e}`);
    console.log(`  noted: ${Visitor.last?.wrong.join('\n  ')}\n  the page: ${Visitor.last?.text?.slice(0, 600)}`);
    process.exitCode = 1;
  }
}

// shown are the pictures that the docs have.
const shown = ['login-phone', 'events-phone', 'accounts-desktop', 'config-desktop', 'accounts-dark'];
const shot = (v, name) => shots && shown.includes(name.split('.')[0]) && v.page.screenshot({ path: join(shots, `console-${name}.png`) });

async function fromLinkToOnline(lang, size) {
  const daemon = new Daemon(bin); // in which nobody has logged in yet
  try {
    await daemon.start();
    await until('a code', async () => (await daemon.main()).login?.url);
    await linkToOnline(daemon, lang, size);
  } finally { await daemon.close(); }
}

// chat has somebody write to the bot; the page listens already.
async function chat(daemon, v, lang) {
  for (const text of lang === 'zh' ? ['在吗？今晚的活动几点开始', '收到，谢谢'] : ['hi, when does it begin tonight?', 'thanks, got it']) {
    await daemon.ncatd('sim', 'say', '--user', '3001000001', text, '--wait', '0s');
    await v.page.locator('.said').getByText(text).waitFor();
  }
}

async function linkToOnline(daemon, lang, size) {
  const v = await Visitor.enter(browser, await daemon.link(), { lang, ...size });
  try {
    await v.page.locator('article [data-state=login_required]').waitFor();
    check(!v.page.url().includes('k='), 'the secret stays in the address');
    await v.clean('accounts');
    await v.page.locator('article a.main').click();
    const code = v.page.locator('img.qr');
    await code.waitFor();
    await v.page.waitForFunction(() => document.querySelector('img.qr').naturalWidth > 0);
    await v.clean('login');
    check(await scan(code) === (await daemon.main()).login.url, 'the picture is not the code of the login');
    await shot(v, `login-${size.name}.${lang}`);
    await v.keyboard('login');
    await daemon.ncatd('sim', 'scan');
    await v.page.locator('main [data-state=online]').waitFor({ timeout: 40000 });
    await v.clean('login, online');
    for (const page of pages) {
      await v.go(page);
      await v.calm();
      if (page === 'events') await chat(daemon, v, lang);
      await v.clean(page);
      await shot(v, `${page}-${size.name}.${lang}`);
      await v.keyboard(page);
    }
  } finally { await v.close(); }
}

async function narrow(lang, scheme) {
  const v = await Visitor.enter(browser, await daemon.link(), { lang, width: 320, height: 600, scheme });
  try {
    for (const page of ['login/main', ...pages]) {
      await v.go(page);
      await v.clean(`${page} at 320 px, ${scheme}`);
      const small = await v.page.evaluate(() => [...document.querySelectorAll('button, nav a, .button, select')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 80)));
      check(!small.length, `${page}: too small for a thumb: ${small.join(' ')}`);
    }
    if (scheme === 'dark') {
      await v.go('accounts');
      await v.calm();
      await shot(v, `accounts-dark.${lang}`);
    }
  } finally { await v.close(); }
}

async function firstLoad() {
  const link = await daemon.link();
  const best = { fcp: Infinity };
  let floor = Infinity; // what a page of one line takes here
  const end = Date.now() + 30000;
  for (let i = 0; i < (smoke ? 4 : 8) && best.fcp > 200 && (i < 2 || Date.now() < end); i++) { // what else runs on the machine is not meant
    const context = await browser.newContext({ viewport: sizes[0] });
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    const paint = () => until('a paint', () => page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime));
    await page.goto(new URL('/console/nosuch', link).href);
    floor = Math.min(floor, await paint());
    let bytes = 0;
    let files = 0;
    cdp.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; files++; });
    await page.goto(i ? await daemon.link() : link);
    await page.locator('article').first().waitFor();
    const fcp = await paint();
    await context.close();
    if (fcp < best.fcp) Object.assign(best, { fcp, bytes, files });
  }
  console.log(`     first load: ${(best.bytes / 1024).toFixed(1)} KB in ${best.files} requests, first contentful paint ${best.fcp.toFixed(0)} ms at a quarter of the speed (a page of one line: ${floor.toFixed(0)} ms)`);
  check(best.bytes <= 60 * 1024, 'more than 60 KB');
  check(best.fcp <= 200 || best.fcp <= 1.5 * floor, 'the first paint takes more than 200 ms');
}

async function soonOnScreen() {
  await daemon.online();
  const v = await Visitor.enter(browser, await daemon.link(), sizes[1]);
  try {
    await v.page.locator('article [data-state=online]').waitFor();
    await v.page.evaluate(() => {
      window.seen = [];
      let last = 'online';
      new MutationObserver(() => requestAnimationFrame(() => {
        const now = document.querySelector('article [data-state]').dataset.state;
        if (now !== last) window.seen.push([last = now, Date.now()]);
      })).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    // The best of some rounds: what else runs on the machine is not meant.
    let best = [Infinity];
    for (let round = 0; round < 8 && Math.max(...best) > 100; round++) {
      const late = await oneRestart(v);
      if (Math.max(...late) < Math.max(...best)) best = late;
    }
    console.log(`     from a transition to the screen: at most ${Math.max(...best)} ms (${best.join(', ')})`);
    check(Math.max(...best) <= 100, 'a change comes later than 100 ms');
  } finally { await v.close(); }
}

// oneRestart returns how many milliseconds each change of a restart took to the
// screen.
async function oneRestart(v) {
  const began = Date.now();
  await v.page.evaluate(() => { window.seen.length = 0; });
  await daemon.ncatd('restart', 'main');
  await v.page.waitForFunction(() => window.seen.some(([s]) => s === 'online'), null, { timeout: 40000 });
  const seen = await v.page.evaluate(() => window.seen);
  const changes = (await daemon.main()).history.filter((h) => Date.parse(h.time) >= began);
  const late = [];
  for (const [state, at] of seen) {
    const h = changes.find((c) => c.state === state && Date.parse(c.time) <= at + 2);
    if (h) late.push(at - Date.parse(h.time));
  }
  check(late.length >= 2, `only ${late.length} changes were seen: ${JSON.stringify(seen)}`);
  return late;
}

async function survivesRestart() {
  const v = await Visitor.enter(browser, await daemon.link(), sizes[0]);
  try {
    await v.page.locator('.link.ok').waitFor();
    v.down = true;
    await daemon.ncatd('stop', '--keep-napcat');
    await v.page.locator('.link.bad').waitFor();
    await v.clean('without a daemon');
    await daemon.start();
    await v.page.locator('.link.ok').waitFor({ timeout: 20000 });
    await v.page.locator('article').first().waitFor();
  } finally { await v.close(); }
}

async function markupStaysText() {
  await daemon.online();
  const evil = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
  const v = await Visitor.enter(browser, await daemon.link(), sizes[1]);
  try {
    await v.go('events');
    await until('the stream', async () => (await daemon.ncatd('sim', 'say', '--user', '3001000001', evil, '--wait', '0s'), v.page.locator('.said').first().isVisible()));
    check((await v.page.locator('.said').first().textContent()) === evil, 'the text is not what was said');
    await v.go('logs');
    await v.page.getByText('onerror').first().waitFor();
    check(!(await v.page.evaluate(() => window.hit)), 'a chat became code');
    check(!(await v.page.locator('main img, main script').count()), 'a chat became markup');
    await v.clean('markup');
  } finally { await v.close(); }
}

async function roles() {
  const v = await Visitor.enter(browser, await daemon.link('--viewer'), sizes[0]);
  try {
    await v.page.locator('article').first().waitFor();
    check(!(await v.page.locator('article button').count()), 'a viewer has switches');
    await v.go('plugins');
    check(!(await v.page.locator('main button').count()), 'a viewer has switches');
    await v.clean('as a viewer');
    const sessions = JSON.parse(await daemon.ncatd('console', 'sessions', '--json'));
    v.down = true; // it is refused from now on
    await daemon.ncatd('console', 'revoke', sessions.find((s) => s.role === 'viewer').id);
    await v.page.locator('#password').waitFor();
  } finally { await v.close(); }
  const used = await daemon.link();
  const first = await Visitor.enter(browser, used, sizes[0]);
  await first.page.locator('article').first().waitFor();
  await first.close();
  const second = await Visitor.enter(browser, used, sizes[0]);
  try {
    await second.page.locator('#password').waitFor();
    check(await second.page.locator('.bad.box').count() === 1, 'an old link is not named as such');
  } finally { await second.close(); }
}

async function configFile() {
  const v = await Visitor.enter(browser, await daemon.link(), sizes[1]);
  const file = join(daemon.home, 'ncatd.yaml');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  try {
    await v.go('config');
    const area = v.page.locator('#file');
    const save = v.page.getByRole('button', { name: 'Save', exact: true });
    await area.fill(before + '\n# kept as it is\nlog:\n  level: loud\n');
    await v.page.locator('#problems .bad').waitFor();
    check(await save.isDisabled(), 'what is wrong can be saved');
    await v.clean('a config with a problem');
    const right = before + '\n# kept as it is\nlog:\n  level: warn\n';
    await area.fill(right);
    await v.page.locator('#problems .ok, #problems .warn').first().waitFor();
    await save.click();
    await until('saved', () => existsSync(file) && readFileSync(file, 'utf8') === right);
    await v.page.getByRole('button', { name: 'Reload', exact: true }).click();
    await v.page.getByText('log.level').waitFor();
    writeFileSync(file, right + '# by somebody else\n');
    await area.fill(right + '# by me\n');
    await v.page.waitForFunction(() => !document.querySelector('main .row button.main').disabled);
    v.down = true; // the refusal is an answer that the browser notes
    await save.click();
    await v.page.locator('.bad.box[role=alert]').waitFor();
    check(readFileSync(file, 'utf8').endsWith('# by somebody else\n'), "somebody else's change is lost");
    await v.page.getByRole('button', { name: 'Load the file anew' }).click();
    await v.page.waitForFunction(() => document.getElementById('file').value.endsWith('# by somebody else\n'));
  } finally {
    await v.close();
    writeFileSync(file, before);
    await daemon.ncatd('reload');
  }
}

async function byKeyboardAlone() {
  await daemon.online();
  const v = await Visitor.enter(browser, await daemon.link(), sizes[1]);
  const to = async (sel) => {
    for (let i = 0; i < 60; i++) {
      await v.page.keyboard.press('Tab');
      if (await v.page.evaluate((s) => document.activeElement?.matches(s), sel)) return;
    }
    fail(`${sel} is not reached`);
  };
  try {
    await v.page.locator('article [data-state=online]').waitFor();
    await to('article .row button:first-child');
    await v.page.keyboard.press('Enter');
    await v.page.locator('dialog[open]').waitFor();
    await v.page.keyboard.press('Escape');
    await v.page.locator('dialog').waitFor({ state: 'detached' });
    await to('article .row button:first-child');
    await v.page.keyboard.press('Enter');
    await to('dialog .main');
    await v.page.keyboard.press('Enter');
    await v.page.locator('article [data-state=stopped]').waitFor();
    await to('article .row button.main');
    await v.page.keyboard.press('Space');
    await v.page.locator('article [data-state=online]').waitFor({ timeout: 40000 });
  } finally { await v.close(); }
}

try {
  await daemon.start();
  await daemon.online();
  if (smoke) {
    await test('from the link to online, zh, phone', () => fromLinkToOnline('zh', sizes[0]));
  } else {
    for (const lang of ['en', 'zh']) for (const size of sizes) await test(`from the link to online, ${lang}, ${size.name}`, () => fromLinkToOnline(lang, size));
    await test('320 px, dark', () => narrow('zh', 'dark'));
    await test('320 px, light', () => narrow('en', 'light'));
  }
  await test('the first load', firstLoad);
  await test('a change is soon on the screen', soonOnScreen);
  await test('roles and links', roles);
  await test('keyboard alone', byKeyboardAlone);
  if (!smoke) {
    await test('chats stay text', markupStaysText);
    await test('the config file', configFile);
    await test('a restart of ncatd', survivesRestart);
    for (const [name, scene] of Object.entries(scenes)) await test(name, () => scene(browser, bin));
  }
} finally {
  await browser.close();
  await daemon.close();
}

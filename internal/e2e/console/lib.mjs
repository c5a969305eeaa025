// A daemon with a simulated QQ, a browser, and what is looked for on every page.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const fail = (text) => { throw new Error(text); };

export function check(ok, text) {
  if (!ok) fail(text);
}

// until polls for a condition that comes from outside the browser.
export async function until(what, f, ms = 20000) {
  for (const end = Date.now() + ms; ;) {
    const v = await f();
    if (v) return v;
    if (Date.now() > end) fail(`never: ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

export class Daemon {
  constructor(bin) {
    this.bin = bin;
    this.home = mkdtempSync(join(tmpdir(), 'ncatd-console-'));
    this.env = { ...process.env, NCATD_HOME: this.home, NCATD_LANG: 'en' };
  }

  ncatd(...args) { return run(this.bin, args, { env: this.env }).then((r) => r.stdout); }

  // start waits until the daemon serves; the login is the page's to show.
  async start() {
    await this.ncatd('start', '--sim', '--scan-after', 'off', '-d', '--yes', '--wait', '1s').catch((e) => { if (![1, 4].includes(e.code)) throw e; });
    await this.ncatd('sim', 'fault', 'scan_after=off', '--patience', '60s'); // of later workers too
  }

  // Its exit code says that an account is not online; the answer says more.
  async status() { return JSON.parse(await this.ncatd('status', '--json').catch((e) => e.stdout || fail(e.stderr))); }

  async main() { return (await this.status()).accounts[0]; }

  // online scans the code if need be, each one once: a second scan waits for
  // another code.
  async online() {
    let scanned = '';
    await until('online', async () => {
      const a = await this.main();
      const code = a?.state === 'login_required' && a.login?.url;
      if (code && code !== scanned) {
        scanned = code;
        await this.ncatd('sim', 'scan').catch(() => { scanned = ''; }); // it may just have expired
      }
      return a?.state === 'online';
    }, 40000);
  }

  async link(...args) { return JSON.parse(await this.ncatd('console', '--json', ...args)).url; }

  async close() {
    await this.ncatd('stop').catch(() => {});
    rmSync(this.home, { recursive: true, force: true });
  }
}

export const launch = (...args) => chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [...args, '--no-sandbox', '--disable-dev-shm-usage', '--force-prefers-reduced-motion'] });

// Visitor is a browser window that notes what must not happen.
export class Visitor {
  static async enter(browser, link, { lang = 'en', width = 390, height = 844, scheme = 'light' } = {}) {
    const v = new Visitor();
    v.origin = new URL(link).origin;
    v.context = await browser.newContext({ viewport: { width, height }, locale: lang === 'zh' ? 'zh-CN' : 'en-GB', colorScheme: scheme, hasTouch: width < 500, ignoreHTTPSErrors: true });
    v.page = await v.context.newPage();
    Visitor.last = v;
    v.wrong = [];
    v.down = false; // the daemon is, so that requests may fail
    v.asked = new Set(); // what has no answer yet; a stream has its head
    for (const end of ['requestfinished', 'requestfailed']) v.page.on(end, (r) => v.asked.delete(r));
    v.page.on('response', (r) => { if ((r.headers()['content-type'] || '').includes('ndjson')) v.asked.delete(r.request()); });
    v.page.on('request', (r) => {
      v.asked.add(r); if (new URL(r.url()).origin !== v.origin) v.wrong.push(`request to ${r.url()}`);
    });
    v.page.on('console', (m) => { if (m.type() === 'error' && !(v.down && /Failed to load|ERR_/.test(m.text()))) v.wrong.push(`console: ${m.text()}`); });
    v.page.on('pageerror', (e) => v.wrong.push(`error: ${e.stack || e}`));
    await v.page.goto(link);
    await v.page.locator('main h1').waitFor();
    return v;
  }

  async go(page) {
    await this.page.evaluate((p) => { location.hash = '#/' + p; }, page);
    await this.page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('main[aria-busy]'));
  }

  // calm waits until every request of the page has its answer and that is drawn.
  async calm() {
    await until('answers to all requests', () => !this.asked.size);
    await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }

  // clean fails if anything was noted, or axe finds something.
  async clean(where) {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    for (const x of found.violations) this.wrong.push(`axe ${x.id}: ${x.help}: ${x.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message || '')).slice(0, 3).join('; ')}`);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) this.wrong.push(`${wide} px wider than the window`);
    check(!this.wrong.length, `${where}:\n  ${this.wrong.join('\n  ')}`);
  }

  // keyboard fails if something can be used by pointer only.
  async keyboard(where) {
    const want = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    const all = await this.page.evaluate((sel) => {
      let n = 0;
      for (const e of document.querySelectorAll(sel)) if (!e.disabled && e.checkVisibility()) e.dataset.reach = String(n++);
      document.activeElement?.blur();
      return n;
    }, want);
    const met = new Set();
    for (let i = 0; i < all + 6 && met.size < all; i++) {
      await this.page.keyboard.press('Tab');
      const at = await this.page.evaluate(() => document.activeElement?.dataset.reach ?? '');
      if (at !== '') met.add(at);
    }
    const missed = await this.page.evaluate((got) => {
      const out = [...document.querySelectorAll('[data-reach]')].filter((e) => !got.includes(e.dataset.reach)).map((e) => e.outerHTML.slice(0, 120));
      for (const e of document.querySelectorAll('[data-reach]')) delete e.dataset.reach;
      return out;
    }, [...met]);
    check(!missed.length, `${where}: not reached by Tab: ${missed.join(' ')}`);
  }

  async close() {
    this.text = await this.page.innerText('body').catch(() => '');
    await this.context.close();
  }
}

// scan reads the QR code off the screen, as a phone does.
export async function scan(element) {
  const file = join(mkdtempSync(join(tmpdir(), 'ncatd-qr-')), 'qr.png');
  writeFileSync(file, await element.screenshot());
  return execFileSync('zbarimg', ['-q', '--raw', file], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
}

// The last day of an account. uPlot is loaded here and nowhere else.
import { html, useEffect, useRef, useStore, useAsked, Trouble, account, t, locale, settings } from './lib.js';
import uPlot from './vendor/uPlot.esm.js';

if (!document.querySelector('link[href$="uPlot.min.css"]')) {
  const style = document.createElement('link');
  style.rel = 'stylesheet';
  style.href = '/console/vendor/uPlot.min.css';
  document.head.append(style);
}

const number = (v, digits = 1) => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(v);
const plots = [
  ['memory', 'rss_bytes', (v) => number(v / 1048576, 0) + ' MiB'],
  ['cpu', 'cpu_percent', (v) => number(v) + ' %'],
  ['events', 'events', (v) => number(v, 0)],
  ['calls', 'calls', (v) => number(v, 0)],
  ['latency', 'latency', (v) => number(v * 1000) + ' ms'],
  ['restarts', 'restarts', (v) => number(v, 0)],
];

function Plot({ title, x, y, format }) {
  const box = useRef();
  const last = y.length ? format(y[y.length - 1]) : '–';
  const peak = y.length ? format(y.reduce((a, b) => Math.max(a, b), 0)) : '–';
  useEffect(() => {
    if (!x.length) return undefined;
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') }, font: '12px system-ui' };
    const plot = new uPlot({
      width: box.current.clientWidth, height: 170, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: true, range: () => [Date.now() / 1000 - 86400, Date.now() / 1000] }, y: { range: (_, lo, hi) => [0, hi > 0 ? hi * 1.1 : 1] } },
      axes: [{ ...axis, values: (_, list) => list.map((s) => new Date(s * 1000).toLocaleTimeString(locale(), { hour: '2-digit', minute: '2-digit', hour12: false })) },
        { ...axis, size: 72, values: (_, list) => list.map(format) }],
      series: [{}, { stroke: colour('--main'), width: 2, points: { show: x.length < 3 }, spanGaps: false }],
    }, gapped(x, y), box.current);
    const resize = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height: 170 }));
    resize.observe(box.current);
    return () => { resize.disconnect(); plot.destroy(); };
  }, [x, y, settings.theme]);
  return html`<figure class="plot"><figcaption><b>${title}</b> <span class="small">${t('console.plot_now', last, peak)}</span></figcaption>
    <div ref=${box} role="img" aria-label=${`${title}: ${t('console.plot_now', last, peak)}`}></div></figure>`;
}

// gapped puts a hole where minutes are missing.
function gapped(x, y) {
  const xs = [];
  const ys = [];
  x.forEach((s, i) => {
    if (i && s - x[i - 1] > 150) { xs.push(x[i - 1] + 60); ys.push(null); }
    xs.push(s);
    ys.push(y[i]);
  });
  return [xs, ys];
}

export function Page({ rest }) {
  const { status } = useStore();
  const name = status.accounts.find((a) => a.name === rest[0])?.name || status.accounts[0]?.name;
  const { data, error, again } = useAsked(account(name, 'history'));
  useEffect(() => {
    const tick = setInterval(() => { if (!document.hidden) again(); }, 60000);
    return () => clearInterval(tick);
  }, [name]);
  return html`<h1>${t('console.page_plots')}</h1>
    <div class="row"><label>${t('console.account')} <select value=${name} onChange=${(e) => { location.hash = '#/plots/' + encodeURIComponent(e.target.value); }}>${status.accounts.map((a) => html`<option key=${a.name} value=${a.name} selected=${a.name === name}>${a.name}</option>`)}</select></label></div>
    <${Trouble} error=${error} />
    ${data && !data.time.length ? html`<p>${t('console.no_history')}</p>` : null}
    ${data?.time.length ? html`<div class="cards">${plots.map(([key, field, format]) => html`<${Plot} key=${key} title=${t('console.' + key)} x=${data.time} y=${data[field]} format=${format} />`)}</div>` : null}`;
}

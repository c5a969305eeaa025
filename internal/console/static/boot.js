// The frame is painted before the work begins; a hidden page paints nothing. What
// app.js imports is asked for beside it and not one after the other.
const parts = ['./vendor/htm-preact-standalone.module.js', './lib.js', './accounts.js', './app.js'];
const begin = () => parts.map((part) => import(part));
if (document.hidden) begin();
else requestAnimationFrame(() => setTimeout(begin));

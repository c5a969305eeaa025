// The frame is painted before the work begins; a hidden page paints nothing.
const begin = () => import('./app.js');
if (document.hidden) begin();
else requestAnimationFrame(() => setTimeout(begin));

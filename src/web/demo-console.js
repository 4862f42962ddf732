// Subscribe, publish, and see each frame that crosses this page's socket.

import { IS_TOUCHED, bytes, clock, el, field, icon, number, remember, remembered } from './kit.js';
import { hasKey } from './operator.js';
import { wouldHelp } from './sign-in.js';
import { demoSwitch, showPrices } from './demo-prices.js';

const KEPT = 500; // frames kept for showing; older ones are forgotten
const DRAWN = 200; // rows in the page at once: more make a phone slow
const DEMO = /demo\.(prices|weather)/; // frames of made-up data: few are kept, so that others stay in sight
const DEMO_KEPT = 9;
const TILES = 4; // prices on top
const PREVIEW = 220; // characters of a frame in its row

const frames = [];
const gone = []; // rows of forgotten frames: they stay while the list is paused, since somebody may be reading one
const subscriptions = new Map();
let listening = false;
let onFrame = () => {};

/** Starts to record frames, once. */
export function listen(tidings) {
  if (listening) return;
  listening = true;
  tidings.on('frame', (frame) => {
    const text = textOf(frame.data);
    frames.push({ ...frame, text, demo: DEMO.test(text) });
    if (frames.length > KEPT) forget(0);
    if (frames.at(-1)?.demo) forgetOldDemo();
    onFrame();
  });
}

function forget(index) {
  const [frame] = frames.splice(index, 1);
  if (frame.demo && frame.row) gone.push(frame.row);
}

function forgetOldDemo() {
  const demos = frames.filter((frame) => frame.demo);
  for (const frame of demos.slice(0, -DEMO_KEPT)) forget(frames.indexOf(frame));
}

function textOf(data) {
  if (typeof data === 'string') return data;
  const end = data.indexOf(10);
  return `${new TextDecoder().decode(data.subarray(0, Math.min(end, 4096)))} + ${number(data.length - end - 1)} bytes of binary data`;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

export function mount(root, tidings) {
  listen(tidings);
  const tiles = el('div', { class: 'tiles live', id: 'live' });
  root.append(
    el('div', { class: 'row bar' }, el('h2', {}, 'Live'), demoSwitch(tidings, 'demo-data')), tiles,
    el('div', { class: 'columns' }, el('div', { class: 'stack' }, channelsCard(tidings), publishCard(tidings), curlCard()), logCard()));
  showPrices(tidings, tiles, TILES);
  for (const channel of remembered('channels', ['news', 'inbox'])) subscribe(tidings, channel);
}

// ---- GET ----

let list;

function channelsCard(tidings) {
  const name = el('input', { name: 'channel', required: true, maxLength: 255, placeholder: 'stocks', autocomplete: 'off', spellcheck: false });
  list = el('ul', { class: 'chips', 'aria-label': 'Subscribed channels' });
  const form = el('form', { class: 'row', onsubmit: (event) => {
    event.preventDefault();
    subscribe(tidings, name.value.trim());
    name.value = '';
  } }, field('Channel', name), el('button', { class: 'primary' }, 'GET'));
  return el('section', { class: 'card' }, el('h2', {}, 'Subscribe'), form, list);
}

function subscribe(tidings, channel) {
  if (!channel || subscriptions.has(channel)) return;
  const count = el('b', {}, '0');
  let seen = 0;
  const subscription = tidings.get(channel, () => { count.textContent = number(++seen); }, { last: 10 });
  const leave = () => {
    subscription.close();
    subscriptions.delete(channel);
    chip.remove();
    remember('channels', [...subscriptions.keys()]);
  };
  const chip = el('li', {}, el('span', {}, channel), count, el('button', { class: 'x', 'aria-label': `Leave ${channel}`, onclick: leave }, '×'));
  // A channel that was refused for good is not asked for again, now or tomorrow; one that a token or a key would open, when there is one.
  subscription.ready.catch((error) => {
    if (wouldHelp(error)) chip.classList.add('locked');
    else leave();
  });
  subscriptions.set(channel, subscription);
  list.append(chip);
  remember('channels', [...subscriptions.keys()]);
}

// ---- POST ----

function publishCard(tidings) {
  const channel = el('input', { name: 'channel', required: true, maxLength: 255, value: 'news', autocomplete: 'off', spellcheck: false });
  const event = el('input', { name: 'event', maxLength: 200, placeholder: 'optional', autocomplete: 'off', spellcheck: false });
  const data = el('textarea', { name: 'data', rows: 5, spellcheck: false, value: '{\n  "hello": "world",\n  "问候": "你好"\n}' });
  const verdict = el('p', { class: 'hint', role: 'status' });
  const button = el('button', { class: 'primary' }, 'POST');
  const check = () => {
    let fault = '';
    try { JSON.parse(data.value); } catch (error) { fault = error.message; }
    button.disabled = fault !== '';
    data.setAttribute('aria-invalid', String(fault !== ''));
    verdict.textContent = fault || (IS_TOUCHED ? 'Valid JSON.' : 'Valid JSON. Ctrl + Enter sends it.');
    verdict.classList.toggle('bad', fault !== '');
  };
  const send = async () => {
    try {
      const answer = await tidings.post(channel.value.trim(), JSON.parse(data.value), { event: event.value || undefined });
      verdict.textContent = `Published as ${answer.channel} #${answer.offset}`;
    } catch (error) {
      verdict.textContent = `${error.status || ''} ${error.message}`.trim();
      verdict.classList.add('bad');
    }
  };
  data.addEventListener('input', check);
  data.addEventListener('keydown', (key) => {
    if (key.key === 'Enter' && (key.ctrlKey || key.metaKey) && !button.disabled) send();
  });
  check();
  return el('section', { class: 'card' }, el('h2', {}, 'Publish'), el('form', { class: 'stack', onsubmit: (submit) => {
    submit.preventDefault();
    send();
  } }, el('div', { class: 'row' }, field('Channel', channel), field('Event', event)), field('Data (JSON)', data), el('div', { class: 'row end' }, verdict, button)));
}

function curlCard() {
  const line = (text) => el('code', { class: 'line' }, text);
  const key = hasKey() ? ' -H "Authorization: Bearer $KEY"' : ''; // not the key itself, which others may see over a shoulder
  return el('section', { class: 'card' }, el('h2', {}, 'From a terminal'),
    line(`curl${key} -d '{"hello":"world"}' ${location.origin}/channels/news`),
    line(`curl -N${key} -H 'Accept: text/event-stream' ${location.origin}/channels/news`),
    el('p', { class: 'hint' }, 'The first one publishes to all subscribers, this page included. The second one streams.'));
}

// ---- the log ----

function logCard() {
  const rows = el('ol', { class: 'log', 'aria-label': 'Frames, newest first', tabIndex: 0 });
  const filter = el('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter frames by text', spellcheck: false });
  const total = el('span', { class: 'hint' });
  const empty = el('p', { class: 'empty' }, 'Frames appear here as they cross the socket.');
  let paused = false;
  let drawn = 0;
  let scheduled = false;
  const pause = el('button', { 'aria-pressed': 'false', onclick: () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume' : 'Pause';
    pause.setAttribute('aria-pressed', String(paused));
    draw();
  } }, 'Pause');
  const clear = el('button', { onclick: () => {
    frames.length = 0;
    redraw();
  } }, 'Clear');
  const matches = (frame) => frame.text.toLowerCase().includes(filter.value.toLowerCase());
  const draw = (now = !paused) => {
    scheduled = false;
    if (!now) return;
    for (const row of gone.splice(0)) row.remove();
    const news = frames.filter((frame) => frame.number === undefined);
    for (const frame of news) {
      frame.number = ++drawn;
      if (matches(frame)) rows.prepend(frame.row = row(frame));
    }
    while (rows.children.length > DRAWN) rows.lastChild.remove();
    empty.hidden = rows.children.length > 0;
    total.textContent = `${number(frames.length)} kept`;
  };
  const redraw = () => {
    rows.replaceChildren();
    for (const frame of frames) frame.number = undefined;
    drawn = 0;
    draw(true);
  };
  filter.addEventListener('input', redraw);
  onFrame = () => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(() => draw(), 60);
  };
  draw();
  return el('section', { class: 'card log-card' },
    el('div', { class: 'row bar' }, el('h2', {}, 'Frames'), total, filter, pause, clear), empty, rows);
}

function row(frame) {
  const preview = frame.text.length > PREVIEW ? `${frame.text.slice(0, PREVIEW)}…` : frame.text;
  const full = el('pre', { hidden: true });
  const head = el('button', { class: 'frame', 'aria-expanded': 'false', onclick: () => {
    full.hidden = !full.hidden;
    full.textContent = full.hidden ? '' : pretty(frame.text);
    head.setAttribute('aria-expanded', String(!full.hidden));
  } }, icon(frame.dir), el('time', {}, clock(frame.time)), el('span', { class: 'size' }, bytes(frame.size)), el('span', { class: 'preview' }, preview));
  return el('li', { class: frame.demo ? `${frame.dir} demo` : frame.dir, 'aria-label': frame.dir === 'in' ? 'received' : 'sent' }, head, full);
}

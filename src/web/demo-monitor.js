// Watches the server itself: reads /metrics every two seconds and draws what moves.

import { bytes, el, number, sparkline } from './kit.js';

const EVERY = 2000;
const KEPT = 90; // readings in a line: three minutes

/** The cards: a title, the families that may carry the value (first found wins), how it is read and how it is written. */
const CARDS = [
  { title: 'Connections', families: [/^connections(_open|_current)?$/], write: number },
  { title: 'Publications per second', families: [/^publications(_total)?$/, /^published(_total)?$/], rate: true, write: number },
  { title: 'Deliveries per second', families: [/^deliveries(_total)?$/, /^delivered(_total)?$/], rate: true, write: number },
  { title: 'Frames in per second', families: [/^frames_in(_total)?$/, /^frames_received(_total)?$/, /^frames(_total)?$/], rate: true, only: /in"|received/, write: number },
  { title: 'Memory', families: [/^process_resident_memory_bytes$/, /^resident_memory_bytes$/, /^memory_bytes$/, /^outbox_bytes$/], write: bytes },
  { title: 'Loop lag', families: [/^loop_lag_seconds$/, /^loop_lag/, /^tick_seconds$/], mean: true, write: (value) => `${(value * 1000).toFixed(2)} ms` },
];

export function mount(root) {
  const verdict = el('p', { class: 'hint', role: 'status' }, 'Reading /metrics…');
  const tiles = CARDS.map(buildTile);
  const table = el('tbody');
  root.append(el('div', { class: 'row bar' }, el('h2', {}, 'The server itself'), verdict),
    el('div', { class: 'tiles' }, ...tiles.map((tile) => tile.element)),
    el('details', { class: 'card' }, el('summary', {}, 'Every metric'), el('div', { class: 'scroll' }, el('table', {}, table))));

  let before = null;
  const read = async () => {
    if (root.hidden || document.hidden) return;
    try {
      const response = await fetch('/metrics', { headers: { Accept: 'text/plain' } });
      if (!response.ok) throw new Error(await explain(response));
      const now = { at: performance.now(), samples: parse(await response.text()) };
      for (const tile of tiles) tile.update(now, before);
      before = now;
      table.replaceChildren(...now.samples.map(({ name, labels, value }) => el('tr', {}, el('th', { scope: 'row' }, name, el('small', {}, labels)), el('td', {}, String(value)))));
      verdict.textContent = 'Read every two seconds.';
    } catch (error) {
      verdict.textContent = error.message;
    }
  };
  read();
  setInterval(read, EVERY);
  document.addEventListener('visibilitychange', read);
}

async function explain(response) {
  if (response.status === 401 || response.status === 403) {
    return 'This server shows its metrics only to its own machine. Open the console through 127.0.0.1 to see them.';
  }
  return `/metrics answered ${response.status}. Trying again.`;
}

/** Prometheus text → [{ name, labels, value }]. */
function parse(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(\{.*\})? +([^ ]+)/.exec(line);
    return match ? [{ name: match[1], labels: match[2] ?? '', value: Number(match[3].replace('Inf', 'Infinity')) }] : [];
  });
}

/** The sum over a family's labels, or null when the server has no such family. */
function sum(samples, family, suffix = '', only) {
  const found = samples.filter(({ name, labels }) => {
    const short = name.replace(/^tidings_/, '');
    return short.endsWith(suffix) && family.test(short.slice(0, short.length - suffix.length)) && !/_bucket$/.test(short) && (!only || !labels || only.test(labels));
  });
  return found.length ? found.reduce((total, { value }) => total + value, 0) : null;
}

function readCard(card, now, before) {
  for (const family of card.families) {
    if (card.mean) {
      const [total, count] = ['_sum', '_count'].map((suffix) => sum(now.samples, family, suffix));
      if (total !== null && count) {
        const [oldTotal, oldCount] = ['_sum', '_count'].map((suffix) => (before ? sum(before.samples, family, suffix) : 0) ?? 0);
        return count > oldCount ? (total - oldTotal) / (count - oldCount) : 0;
      }
    }
    const value = sum(now.samples, family, '', card.only);
    if (value === null) continue;
    if (!card.rate) return value;
    const old = before && sum(before.samples, family, '', card.only);
    return old === null || value < old ? undefined : (value - old) / ((now.at - before.at) / 1000);
  }
  return null;
}

function buildTile(card) {
  const now = el('b', { class: 'now' }, '–');
  const line = sparkline({ label: card.title, floor: 0 });
  const values = [];
  return {
    element: el('article', { class: 'tile' }, el('h3', {}, card.title), now, line.element),
    update(reading, before) {
      const value = readCard(card, reading, before);
      if (value === undefined) return;
      now.textContent = value === null ? 'not told' : card.write(value);
      if (value === null) return;
      values.push(value);
      if (values.length > KEPT) values.shift();
      line.draw(values);
    },
  };
}

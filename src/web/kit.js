// The few helpers that every panel of the console shares. Text always enters the page through text nodes, never as HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** Whether this is a phone or a tablet: hints that need a mouse or a keyboard are left out there. */
export const IS_TOUCHED = matchMedia('(hover: none) and (pointer: coarse)').matches;

/** Makes an element: `el('p', { class: 'note', onclick: fn }, 'text', child)`. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list' && name !== 'form') element[name] = value;
    else element.setAttribute(name === 'class' ? 'class' : name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Makes an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An icon of the sprite in index.html. */
export function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true', viewBox: '0 0 24 24' }, svg('use', { href: `#i-${name}` }));
}

/** A labelled field: the label is visible and belongs to the control. */
export function field(label, control) {
  return el('label', { class: 'field' }, el('span', {}, label), control);
}

export function clock(time) {
  return new Date(time).toLocaleTimeString('en-GB', { hour12: false });
}

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export function number(value) {
  return Math.abs(value) >= 10_000 ? Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value)
    : Intl.NumberFormat('en', { maximumFractionDigits: value % 1 ? 1 : 0 }).format(value);
}

/** How long something has lasted. */
export function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export function randomId(length = 8) {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => (byte % 36).toString(36)).join('');
}

/** A steady colour for a name: a hue between 0 and 359. */
export function hueOf(text) {
  let hue = 7;
  for (const character of text) hue = (hue * 31 + character.codePointAt(0)) % 360;
  return hue;
}

/** A value that this browser remembers; works without storage too. */
export function remembered(key, fallback) {
  try { return JSON.parse(localStorage.getItem(`tidings.${key}`)) ?? fallback; } catch { return fallback; }
}

export function remember(key, value) {
  try { localStorage.setItem(`tidings.${key}`, JSON.stringify(value)); } catch { /* private mode: it lives as long as the page */ }
}

/** A small line chart: `chart.draw([numbers])` scales itself to its values. */
export function sparkline({ label, floor } = {}) {
  const area = svg('path', { class: 'spark-area' });
  const line = svg('path', { class: 'spark-line', 'vector-effect': 'non-scaling-stroke' });
  const element = svg('svg', { class: 'spark', viewBox: '0 0 100 32', preserveAspectRatio: 'none', role: 'img', 'aria-label': label ?? 'chart' }, area, line);
  return {
    element,
    draw(values) {
      if (values.length < 2) return;
      const low = Math.min(floor ?? Infinity, ...values);
      const span = Math.max(...values) - low || 1;
      const points = values.map((value, index) => `${((index * 100) / (values.length - 1)).toFixed(2)} ${(29 - ((value - low) / span) * 26).toFixed(2)}`);
      line.setAttribute('d', `M${points.join('L')}`);
      area.setAttribute('d', `M0 32L${points.join('L')}L100 32Z`);
    },
  };
}

/** Shows a short message at the foot of the page, also to screen readers. */
export function toast(text) {
  const box = document.getElementById('toasts');
  const note = el('div', { class: 'toast' }, text);
  box.append(note);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(() => note.remove(), 5000);
}

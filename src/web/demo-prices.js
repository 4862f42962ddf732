// Live prices and weather: from `tidings demo`, from a page of the console, or from anybody who publishes there.

import { el, sparkline } from './kit.js';
import { PRICES, WEATHER, demoFeed } from './demo-data.js';

const KEPT = 60; // ticks in a line
const TILES = 60;
const SIGNS = { clear: '☀', sunny: '☀', cloudy: '☁', rain: '☂', wind: '≋', fog: '≡', snow: '❄' };

export function mount(root, tidings) {
  const prices = el('div', { class: 'tiles', id: 'prices' });
  const weather = el('div', { class: 'tiles small', id: 'weather' });
  const empty = el('p', { class: 'empty' }, 'Nobody publishes prices yet. Turn the switch on, or run “tidings demo”.');
  root.append(el('div', { class: 'row bar' }, el('h2', {}, 'Prices'), demoSwitch(tidings, 'publish-demo')), empty, prices, el('h2', {}, 'Weather'), weather);
  showPrices(tidings, prices, TILES, () => { empty.hidden = true; });
  showWeather(tidings, weather);
}

/** The switch of the page's own feed; it says why it went off by itself. */
export function demoSwitch(tidings, id) {
  const feed = demoFeed(tidings);
  const box = el('input', { type: 'checkbox', role: 'switch', id, onchange: () => feed.set(box.checked) });
  const why = el('span', { class: 'hint', role: 'status' });
  feed.watch((on, reason) => {
    box.checked = on;
    why.textContent = reason;
  });
  return el('div', { class: 'row' }, why, el('label', { class: 'switch' }, box, el('span', {}, 'Publish demo data')));
}

/** Fills `parent` with a tile for each symbol, `most` at most. */
export function showPrices(tidings, parent, most, onFirst = () => {}) {
  const tiles = new Map();
  const take = (data) => {
    for (const item of listOf(data, 'prices')) {
      const [symbol, price] = [item?.symbol, Number(item?.price)];
      if (typeof symbol !== 'string' || !Number.isFinite(price)) continue;
      onFirst();
      if (!tiles.has(symbol) && tiles.size < most) tiles.set(symbol, priceTile(parent, symbol));
      tiles.get(symbol)?.(price);
    }
  };
  for (const channel of ['prices', PRICES]) tidings.get(channel, take, { last: KEPT });
}

function showWeather(tidings, parent) {
  const cities = new Map();
  const take = (data) => {
    for (const report of listOf(data, 'reports')) {
      if (typeof report?.city !== 'string') continue;
      if (!cities.has(report.city) && cities.size < TILES) cities.set(report.city, weatherTile(parent, report.city));
      cities.get(report.city)?.(report);
    }
  };
  for (const channel of ['weather', WEATHER]) tidings.get(channel, take, { last: KEPT });
}

/** One item, a list of them, or an object that holds the list. */
function listOf(data, name) {
  if (Array.isArray(data)) return data;
  return Array.isArray(data?.[name]) ? data[name] : [data];
}

function priceTile(parent, symbol) {
  const line = sparkline({ label: `${symbol}, latest prices` });
  const now = el('b', { class: 'now' });
  const change = el('span', { class: 'change' });
  const tile = el('article', { class: 'tile' }, el('header', {}, el('h3', {}, symbol), change), now, line.element);
  const values = [];
  parent.append(tile);
  return (price) => {
    const previous = values.at(-1) ?? price;
    values.push(price);
    if (values.length > KEPT) values.shift();
    const percent = ((price - values[0]) / values[0]) * 100;
    now.textContent = price.toFixed(price < 10 ? 3 : 2);
    change.textContent = `${percent < 0 ? '▼' : '▲'} ${Math.abs(percent).toFixed(2)} %`;
    tile.dataset.trend = percent < 0 ? 'down' : 'up';
    tile.classList.remove('flash-up', 'flash-down');
    void tile.offsetWidth; // restarts the animation
    if (price !== previous) tile.classList.add(price > previous ? 'flash-up' : 'flash-down');
    line.draw(values);
  };
}

function weatherTile(parent, city) {
  const sky = el('span', { class: 'sky', 'aria-hidden': 'true' });
  const degrees = el('b', { class: 'now' });
  const rest = el('span', { class: 'hint' });
  parent.append(el('article', { class: 'tile weather' }, sky, el('div', {}, el('h3', {}, city), rest), degrees));
  return (report) => {
    const temperature = Number(report.temperature ?? report.temp ?? report.celsius);
    degrees.textContent = Number.isFinite(temperature) ? `${temperature.toFixed(1)}°` : '–';
    sky.textContent = SIGNS[report.sky ?? report.condition] ?? '◌';
    rest.textContent = [report.sky ?? report.condition, Number.isFinite(report.wind) ? `${report.wind.toFixed(0)} km/h` : ''].filter(Boolean).join(' · ');
  };
}

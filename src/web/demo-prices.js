// Live prices and weather; any page can become the publisher of simulated data.

import { el, sparkline } from './kit.js';

const KEPT = 60; // ticks in a line
const SYMBOLS = [['ALFA', 182.4], ['BRVO', 64.1], ['CHRL', 12.86], ['DLTA', 913.5], ['ECHO', 41.02], ['FXTR', 7.315]];
const CITIES = [['Lisbon', 21], ['Oslo', 6], ['上海', 24], ['Nairobi', 19], ['Lima', 17]];
const SKIES = ['clear', 'cloudy', 'rain', 'wind'];
const SIGNS = { clear: '☀', cloudy: '☁', rain: '☂', wind: '≋', snow: '❄' };

export function mount(root, tidings) {
  const prices = el('div', { class: 'tiles', id: 'prices' });
  const weather = el('div', { class: 'tiles small', id: 'weather' });
  const publish = el('input', { type: 'checkbox', role: 'switch', id: 'publish-demo' });
  const tiles = new Map();
  const cities = new Map();
  const empty = el('p', { class: 'empty' }, 'Nobody publishes prices yet. Turn the switch on, or run “tidings demo”.');

  root.append(
    el('div', { class: 'row bar' }, el('h2', {}, 'Prices'), el('label', { class: 'switch' }, publish, el('span', {}, 'Publish demo data from this page'))),
    empty, prices, el('h2', {}, 'Weather'), weather);

  tidings.get('prices', (data) => {
    for (const { symbol, price } of Array.isArray(data) ? data : [data ?? {}]) {
      if (typeof symbol !== 'string' || !Number.isFinite(Number(price))) continue;
      empty.hidden = true;
      if (!tiles.has(symbol) && tiles.size < 60) tiles.set(symbol, priceTile(prices, symbol));
      tiles.get(symbol)?.(Number(price));
    }
  }, { last: 120 });

  tidings.get('weather', (data) => {
    for (const report of Array.isArray(data) ? data : [data ?? {}]) {
      if (typeof report.city !== 'string') continue;
      if (!cities.has(report.city) && cities.size < 60) cities.set(report.city, weatherTile(weather, report.city));
      cities.get(report.city)?.(report);
    }
  }, { last: 30 });

  let stop = null;
  publish.addEventListener('change', () => {
    stop?.();
    stop = publish.checked ? simulate(tidings) : null;
  });
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

/** A random walk, published until the returned function is called. */
function simulate(tidings) {
  const market = SYMBOLS.map(([symbol, price]) => ({ symbol, price }));
  const reports = CITIES.map(([city, temperature]) => ({ city, temperature, wind: 10, sky: 'clear' }));
  const quiet = () => {}; // a tick that cannot be sent is not worth keeping: the next one replaces it
  const post = (channel, data) => tidings.state === 'open' && tidings.post(channel, data, { key: false }).catch(quiet);
  const walk = (value, step) => value * (1 + (Math.random() - 0.495) * step);
  const tickPrices = () => {
    for (const stock of market) {
      if (Math.random() < 0.4) continue;
      stock.price = Number(walk(stock.price, 0.012).toFixed(3));
      post('prices', stock);
    }
  };
  const tickWeather = () => {
    const report = reports[Math.floor(Math.random() * reports.length)];
    report.temperature = Number((report.temperature + Math.random() - 0.5).toFixed(1));
    report.wind = Math.max(0, Math.round(report.wind + (Math.random() - 0.5) * 6));
    if (Math.random() < 0.3) report.sky = SKIES[Math.floor(Math.random() * SKIES.length)];
    post('weather', report);
  };
  market.forEach((stock) => post('prices', stock));
  reports.forEach((report) => post('weather', report));
  const timers = [setInterval(tickPrices, 700), setInterval(tickWeather, 2500)];
  return () => timers.forEach(clearInterval);
}

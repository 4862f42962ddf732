// Made-up prices and weather, so that there is something to see in the first second. One of the open pages publishes them.

import { randomId, remember, remembered } from './kit.js';

export const PRICES = 'demo.prices';
export const WEATHER = 'demo.weather';
const PRICES_EVERY = 1000;
const WEATHER_EVERY = 3; // ticks of prices
const SILENT = 2500; // a page that was not heard for so long publishes no more

const SYMBOLS = [['ALFA', 182.4], ['BRVO', 64.1], ['CHRL', 12.86], ['DLTA', 913.5], ['ECHO', 41.02], ['FXTR', 7.315]];
const CITIES = [['Lisbon', 21], ['Oslo', 6], ['上海', 24], ['Nairobi', 19], ['Lima', 17]];
const SKIES = ['clear', 'cloudy', 'rain', 'wind'];

let feed = null;

/** The page's one feed: `on` and `set(on)`; `watch(fn)` calls fn(on, reason) now and at each change. */
export function demoFeed(tidings) {
  feed ??= start(tidings);
  return feed;
}

/** Only on a newcomer's own machine it begins by itself: a server elsewhere may have channels that people use. */
function wanted() {
  const local = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);
  return remembered('demo', local) === true;
}

function start(tidings) {
  const me = randomId(6);
  const watchers = new Set();
  const walk = world();
  const state = { on: wanted(), reason: '', leader: '', heard: -Infinity, ticks: 0 };
  const change = (on, reason = '') => {
    Object.assign(state, { on, reason });
    for (const fn of watchers) fn(on, reason);
  };
  const post = (channel, data) => tidings.post(channel, data, { key: false }).catch((error) => {
    // What was not sent in time is not worth keeping: the next tick replaces it. A refusal ends it.
    if (error.status >= 400 && error.status < 500 && error.status !== 429) change(false, error.message);
  });
  const tick = () => {
    const led = state.leader < me && performance.now() - state.heard < SILENT;
    if (!state.on || tidings.state !== 'open' || document.hidden || led) return;
    post(PRICES, { from: me, prices: walk.prices() });
    if (state.ticks++ % WEATHER_EVERY === 0) post(WEATHER, { from: me, reports: walk.weather() });
  };
  tidings.get(PRICES, (data) => {
    if (typeof data?.from !== 'string' || data.from === me) return;
    const later = data.from > state.leader && performance.now() - state.heard < SILENT;
    if (!later) Object.assign(state, { leader: data.from, heard: performance.now() });
  });
  tidings.on('open', () => setTimeout(tick)); // after the subscriptions of the page
  setInterval(tick, PRICES_EVERY);
  setTimeout(tick);
  return {
    get on() { return state.on; },
    set(on) {
      remember('demo', on);
      change(on);
      tick();
    },
    watch(fn) {
      watchers.add(fn);
      fn(state.on, state.reason);
    },
  };
}

/** A random walk. */
function world() {
  const market = SYMBOLS.map(([symbol, price]) => ({ symbol, price }));
  const reports = CITIES.map(([city, temperature]) => ({ city, temperature, wind: 10, sky: 'clear' }));
  let first = true;
  return {
    prices() {
      for (const stock of market) stock.price = Number((stock.price * (1 + (Math.random() - 0.495) * 0.012)).toFixed(3));
      return market;
    },
    /** All cities at first, then one that changed. */
    weather() {
      if (first) {
        first = false;
        return reports;
      }
      const report = reports[Math.floor(Math.random() * reports.length)];
      report.temperature = Number((report.temperature + Math.random() - 0.5).toFixed(1));
      report.wind = Math.max(0, Math.round(report.wind + (Math.random() - 0.5) * 6));
      if (Math.random() < 0.3) report.sky = SKIES[Math.floor(Math.random() * SKIES.length)];
      return [report];
    },
  };
}

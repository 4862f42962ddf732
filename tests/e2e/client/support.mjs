// What the unit tests of the browser client share: the client as the server serves it, a WebSocket in memory whose other
// end is a script, and a clock that a test moves.

import { readFileSync } from 'node:fs';
import { textOf } from '../../../clients/js/make.mjs';

/** The text that is served as `name`. */
export function clientText(name = 'tidings.js') {
  return textOf(name);
}

/** The client; `CLIENT=path` tests another file. */
export async function loadClient() {
  const text = process.env.CLIENT ? readFileSync(process.env.CLIENT, 'utf8') : clientText();
  return import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
}

const real = { setTimeout, clearTimeout, setImmediate, now: Date.now, performance: globalThis.performance };

/** Lets everything that is ready run. */
export async function settle() {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => real.setImmediate(resolve));
}

/** A clock of the test's own: time passes only by `pass(ms)`. `date` is what Date says apart from that. */
export function fakeClock() {
  const clock = { monotonic: 1_000, date: 1_700_000_000_000, timers: new Map(), next: 1 };
  globalThis.setTimeout = (fn, wait = 0) => {
    clock.timers.set(clock.next, { at: clock.monotonic + Math.max(0, wait), fn });
    return clock.next++;
  };
  globalThis.clearTimeout = (id) => void clock.timers.delete(id);
  Date.now = () => clock.date;
  Object.defineProperty(globalThis, 'performance', { value: { now: () => clock.monotonic }, configurable: true, writable: true });
  const move = (at) => {
    clock.date += at - clock.monotonic;
    clock.monotonic = at;
  };
  clock.pass = async (ms) => {
    const end = clock.monotonic + ms;
    for (;;) {
      await settle();
      const due = [...clock.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      clock.timers.delete(due[0]);
      move(Math.max(clock.monotonic, due[1].at));
      due[1].fn();
    }
    move(end);
    await settle();
  };
  /** The machine sleeps: every timer is late when it wakes. */
  clock.sleep = (ms) => move(clock.monotonic + ms);
  clock.restore = () => {
    Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
    Date.now = real.now;
    Object.defineProperty(globalThis, 'performance', { value: real.performance, configurable: true, writable: true });
  };
  return clock;
}

/** What tells of the network and the page: `fire('offline')`. */
export function fakePage() {
  const heard = [];
  const same = (name, fn) => heard.findIndex((each) => each.name === name && each.fn === fn);
  globalThis.addEventListener = (name, fn, { signal } = {}) => {
    heard.push({ name, fn });
    signal?.addEventListener('abort', () => globalThis.removeEventListener(name, fn));
  };
  globalThis.removeEventListener = (name, fn) => void (same(name, fn) >= 0 && heard.splice(same(name, fn), 1));
  return {
    fire: (name) => heard.filter((each) => each.name === name).forEach(({ fn }) => fn({ type: name })),
    listeners: () => heard.length,
    leave() {
      delete globalThis.addEventListener;
      delete globalThis.removeEventListener;
    },
  };
}

export const LIMITS = { message_bytes: 65_536, body_bytes: 1_048_576, binary: true, batch: 100 };

/**
 * A server in memory. `hears(request, connection)` is called for each request and returns the members of its answer (with
 * `status` 200 unless it says otherwise), null for none, or a [code, reason] that the connection is closed with; `/limits`
 * and `/livez` are answered unless it does. Bodies of binary frames stand in `request.body`.
 */
export function fakeServer(hears = () => ({})) {
  const server = { connections: [], requests: [], hears, limits: LIMITS, accepts: true };
  const usual = (request) => {
    if (request.path === '/limits') return server.limits ?? { status: 404, error: { code: 'not_found', message: 'no such path' } };
    return {};
  };
  server.WebSocket = class {
    readyState = 0;
    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      server.connections.push(this);
      Promise.resolve().then(() => {
        if (this.readyState !== 0 || server.accepts === null) return; // null: nobody answers the handshake
        if (!server.accepts) return void this.end(1006, '');
        this.readyState = 1;
        this.onopen?.({});
      });
    }
    send(frame) {
      if (this.readyState !== 1) return;
      const bytes = typeof frame === 'string' ? null : new Uint8Array(frame);
      const text = bytes ? new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(10))) : frame;
      const request = JSON.parse(text);
      if (bytes) request.body = bytes.slice(bytes.indexOf(10) + 1);
      server.requests.push(request);
      Promise.resolve().then(() => {
        if (this.readyState !== 1) return; // what comes after a Close is not read
        let answer = server.hears(request, this, frame);
        if (answer === undefined) answer = usual(request);
        if (Array.isArray(answer)) this.end(...answer);
        else if (answer) this.tell({ id: request.id, status: 200, ...answer });
      });
    }
    tell(message) {
      this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
    }
    end(code, reason) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    close() {
      this.readyState = 3;
    }
  };
  /** Requests of a method, by what the channel is called. */
  server.asked = (method) => server.requests.filter((each) => each.method === method && each.path.startsWith('/channels/')).map((each) => decodeURIComponent(each.path.slice(10)));
  return server;
}

/** An answer to a GET of a channel. */
export const standing = (offset = 0, more = {}) => ({ epoch: 'epoch001', offset, publications: [], connection: '0-1-0', ...more });

/** What became of a promise: its value, or its error's status and code. */
export const outcome = (promise) => promise.then((value) => value, ({ status, code, message }) => ({ rejected: code, status, message }));

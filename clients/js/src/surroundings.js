// What the client needs of its surroundings, and what it does where that is missing: pages, workers, Node, Deno and Bun differ.
// Nowhere missing, and needed: URL, TextEncoder, atob, timers.

/** Milliseconds that only grow. The date of a computer may be set back by an hour; a wait must not become an hour longer. */
const now = (() => {
  let last = Date.now();
  let back = 0;
  return () => {
    if (globalThis.performance?.now) return performance.now();
    const date = Date.now();
    if (date < last) back += last - date;
    last = date;
    return date + back;
  };
})();

/** Listens to events of the network and the page, where there are any; returns a function that stops it. */
function listen(handlers) {
  if (!globalThis.addEventListener) return () => {};
  for (const [name, fn] of Object.entries(handlers)) globalThis.addEventListener(name, fn);
  return () => Object.entries(handlers).forEach(([name, fn]) => globalThis.removeEventListener(name, fn));
}

/** An error of the application's code: shown in the console, without affecting its caller. */
const report = (error) => void setTimeout(() => { throw error; });

/** Calls a function of the application, if there is one. */
function call(fn, ...given) {
  try {
    fn?.(...given);
  } catch (error) {
    report(error);
  }
}

const Target = globalThis.EventTarget ?? class {
  #listeners = [];

  addEventListener(name, fn) {
    if (!this.#listeners.some((each) => each.name === name && each.fn === fn)) this.#listeners.push({ name, fn });
  }

  removeEventListener(name, fn) {
    this.#listeners = this.#listeners.filter((each) => each.name !== name || each.fn !== fn);
  }

  dispatchEvent(event) {
    for (const { name, fn } of this.#listeners) {
      if (name === event.type) try { fn.call(this, event); } catch (error) { report(error); }
    }
    return true;
  }
};

function eventOf(name, detail) {
  if (!globalThis.EventTarget) return { type: name, detail };
  return globalThis.CustomEvent ? new CustomEvent(name, { detail }) : Object.assign(new Event(name), { detail });
}

/** A target whose listeners are counted, so that nothing is prepared that nobody listens to. */
class Events extends Target {
  #counts = new Map();

  /** Calls `fn(detail)` at each event of that name; returns a function that ends it. */
  on(name, fn) {
    const listener = (event) => fn(event.detail);
    const count = (by) => this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
    this.addEventListener(name, listener);
    count(1);
    return () => {
      this.removeEventListener(name, listener);
      count(-1);
    };
  }

  /** Whether `on` has a listener for events of that name. */
  static heard(target, name) { return target.#counts.get(name) > 0; }
}

/** A unique key: without a secure source of random numbers, from the time and `Math.random`. */
function randomKey() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else for (let index = 0; index < bytes.length; index++) bytes[index] = Math.random() * 256;
  const time = globalThis.crypto ? '' : Date.now().toString(16);
  return time + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Calls `fn(reason)` when the signal aborts, or has aborted; returns a function that stops listening. */
function onAbort(signal, fn) {
  if (!signal) return () => {};
  const abort = () => fn(signal.reason ?? new TidingsError(0, 'aborted', 'it was aborted'));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

/**
 * The full address of `url`. A relative one is resolved against the page or the worker; where these have no usable address
 * (a page opened as a file, Deno), against the server that this script came from.
 */
function addressOf(url) {
  const base = [globalThis.location?.href, globalThis.origin, SCRIPT].find((each) => /^https?:/.test(each));
  let full;
  try {
    full = new URL(url, base);
  } catch {
    throw new TypeError(`“${url}” is not a full address, and there is no page of a server here to complete it: write new Tidings('ws://127.0.0.1:8080/ws')`);
  }
  full.protocol = full.protocol.replace(/^http/, 'ws');
  full.hash = '';
  if (!/^wss?:$/.test(full.protocol)) throw new TypeError(`“${url}” is not the address of a server: one begins with ws:, wss:, http: or https:`);
  return full.href;
}

function webSocketOf(options) {
  const found = options.WebSocket ?? globalThis.WebSocket;
  if (typeof found === 'function') return found;
  throw new TypeError('there is no WebSocket here: use Node 22 or later, or Node 20 with --experimental-websocket, or pass one, such as that of the npm package ws: new Tidings(url, { WebSocket })');
}

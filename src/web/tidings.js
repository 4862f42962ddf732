// The browser client of Tidings: one small file, no dependencies.
//
//   import Tidings from '/tidings.js';
//   const tidings = new Tidings();
//   tidings.get('news', (data, publication) => console.log(publication.offset, data), { last: 10 });
//   await tidings.post('news', { hello: 'world' });
//
// It reconnects by itself and resumes each channel where it stood. Every publication is handed over exactly once and in
// order, or a 'gap' event says that some could not be recovered. A post that was not answered when the connection broke
// is sent again with the same idempotency key, so it is published once, unless the server itself lost its memory.

const SUBPROTOCOL = 'tidings.v1';

/** Every limit and time of the client (milliseconds); `new Tidings(url, { cap: 5000 })` changes them. */
const DEFAULTS = {
  base: 500, // the first wait before a reconnect is random between 0 and this; it doubles with each failure
  cap: 20_000, // and never exceeds this
  stable: 5_000, // a connection that lived this long sets the waits back to `base`
  connectTimeout: 10_000, // a handshake that takes longer is given up
  silence: 25_000, // after so long without a frame the server is asked whether it lives
  answer: 10_000, // and if it says nothing for this long, the connection is replaced
  queue: 100, // requests kept while disconnected; more are rejected with `queue_full`
  WebSocket: globalThis.WebSocket, // another implementation, for Node before 22
};

/** Close reasons that a retry alone will not mend: retried only at the slowest pace, and the state says `refused`. */
const REFUSALS = /^(forbidden|unauthorized|origin_not_allowed|misdirected_request|not_found)/;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a request failed with: `status` uses HTTP's numbers (0 when the server never answered), `code` names the cause. */
export class TidingsError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { name: 'TidingsError', status, code });
  }
}

/**
 * A connection that mends itself. Events (`on(name, fn)`, fn gets the detail):
 * `open` {}; `close` {code, reason}; `state` {state}: connecting, open, waiting, refused or closed;
 * `gap` {channel, position}: publications before `position` were lost; `error` {channel, error}: a subscription was refused;
 * `frame` {dir: 'in'|'out', data: string|Uint8Array, size, time}: each frame, for showing.
 */
export class Tidings extends EventTarget {
  #options; #socket = null; #timer = 0; #watch = 0; #attempt = 0; #openedAt = 0; #heard = 0; #asked = 0;
  #next = 1; #pending = new Map(); #channels = new Map(); #watchers = 0; #state = 'closed'; #stop = () => {};

  constructor(url = '/ws', options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    const full = new URL(url, globalThis.location?.href);
    full.protocol = full.protocol.replace(/^http/, 'ws');
    this.url = full.href;
    this.connection = undefined; // the server's public name for this connection, once it has told it
    if (globalThis.addEventListener) {
      const ending = new AbortController();
      for (const name of ['online', 'pageshow']) globalThis.addEventListener(name, () => this.#wake(), { signal: ending.signal });
      this.#stop = () => ending.abort();
    }
    this.#connect();
  }

  get state() { return this.#state; }

  /** Calls `fn(detail)` at each event of that name; returns a function that ends it. */
  on(name, fn) {
    const listener = (event) => fn(event.detail);
    this.addEventListener(name, listener);
    if (name === 'frame') this.#watchers++;
    return () => {
      this.removeEventListener(name, listener);
      if (name === 'frame') this.#watchers--;
    };
  }

  /**
   * Subscribes: `fn(data, publication)` for each publication, first those that `since` ('epoch:offset') or `last` (a count)
   * asks for. Binary data arrives as a Uint8Array. `binary: true` asks the server for binary frames instead of base64.
   * Returns { channel, position, ready, close() }; `ready` resolves with the server's first answer.
   */
  get(channel, fn, { since, last, binary = false } = {}) {
    let entry = this.#channels.get(channel);
    const listener = { fn, offset: 0, waiting: null };
    const first = !entry;
    if (first) {
      entry = { channel, epoch: '', offset: 0, live: false, listeners: new Set(), since, last, binary, retry: 0, tries: 0 };
      entry.ready = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
      entry.ready.catch(() => {});
      this.#channels.set(channel, entry);
    }
    entry.listeners.add(listener);
    if (first && this.#state === 'open') this.#subscribe(entry);
    if (!first && (since !== undefined || last !== undefined)) this.#catchUp(entry, listener, { since, last });
    return {
      channel,
      ready: entry.ready,
      get position() { return entry.epoch ? `${entry.epoch}:${entry.offset}` : since; },
      close: () => entry.listeners.delete(listener) && !entry.listeners.size && this.#leave(entry),
    };
  }

  /**
   * Publishes `data`: any JSON value, or an ArrayBuffer, typed array or Blob as binary. Resolves with { channel, epoch,
   * offset }. `key` is made up unless given; `key: false` sends none, and then a post cut off by a lost connection is
   * rejected instead of being sent again. `excludeSelf` keeps the publication from coming back to this page.
   */
  async post(channel, data, { event, key = randomKey(), excludeSelf } = {}) {
    const request = { method: 'POST', path: pathOf(channel), event, key: key || undefined, exclude_self: excludeSelf || undefined };
    if (data instanceof Blob) data = await data.arrayBuffer();
    let body = null;
    if (data instanceof ArrayBuffer) body = new Uint8Array(data);
    else if (ArrayBuffer.isView(data)) body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else request.data = data ?? null;
    return this.#request(request, body, Boolean(key));
  }

  /** What the channel remembers, without subscribing: { channel, epoch, offset, recovered, publications }. */
  async history(channel, { since, last, limit } = {}) {
    const answer = await this.#request({ method: 'GET', path: pathOf(channel), once: true, since, last, limit }, null, true);
    answer.publications?.forEach(unpack);
    return answer;
  }

  /** Empties the channel's history (for administrators). */
  delete(channel) {
    return this.#request({ method: 'DELETE', path: pathOf(channel) }, null, true);
  }

  /** Ends the connection for good; whatever is unanswered is rejected. */
  close() {
    this.#stop();
    this.#drop(1000, 'closed by the page', false);
    this.#setState('closed');
    this.#rejectAll(() => true, 'closed', 'the client was closed');
    this.#channels.clear();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #setState(state) {
    if (this.#state !== state) this.#emit('state', { state: (this.#state = state) });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#setState('connecting');
    const socket = new this.#options.WebSocket(this.url, [SUBPROTOCOL]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(0, 'no handshake in time'), this.#options.connectTimeout);
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#drop(event.code, event.reason);
    socket.onerror = () => {}; // a close follows
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#openedAt = this.#heard = Date.now();
    this.#asked = 0;
    this.#setState('open');
    this.#guard();
    for (const entry of this.#channels.values()) this.#subscribe(entry);
    for (const [id, pending] of this.#pending) this.#write({ id, ...pending.request }, pending.body);
    this.#emit('open', {});
  }

  /** Lets go of the socket, whatever its state: a dead network would keep `close` waiting. */
  #drop(code, reason, again = true) {
    const socket = this.#socket;
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    if (socket) {
      this.#socket = socket.onopen = socket.onmessage = socket.onclose = null;
      if (socket.readyState < 2) socket.close();
      for (const entry of this.#channels.values()) entry.live = false;
      this.#rejectAll((pending) => !pending.again, 'connection_lost', 'the connection broke before the answer came');
      this.#emit('close', { code, reason });
    }
    if (!again) return;
    const { base, cap, stable } = this.#options;
    if (this.#openedAt && Date.now() - this.#openedAt >= stable) this.#attempt = 0;
    this.#openedAt = 0;
    const refused = code === 1008 && REFUSALS.test(reason);
    const wait = refused ? cap * (0.5 + Math.random() / 2) : Math.random() * Math.min(cap, base * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#setState(refused ? 'refused' : 'waiting');
  }

  /** The network or the page came back: do not wait for a timer that slept as well. */
  #wake() {
    if (this.#state === 'open') return this.#ask();
    if (this.#state !== 'waiting' && this.#state !== 'refused') return undefined;
    this.#attempt = 0;
    return this.#connect();
  }

  /** One timer watches for silence: until the question is due, then until its answer is. */
  #guard() {
    const waits = this.#asked > this.#heard;
    const due = waits ? this.#asked + this.#options.answer : this.#heard + this.#options.silence;
    if (Date.now() < due) this.#watch = setTimeout(() => this.#guard(), due - Date.now());
    else if (waits) this.#drop(0, 'no answer to livez');
    else this.#ask();
  }

  #ask() {
    if (this.#asked > this.#heard) return; // already asked
    clearTimeout(this.#watch);
    this.#asked = this.#heard = Date.now();
    this.#heard--; // so that only what comes from now on is an answer
    this.#write({ id: 'livez', method: 'GET', path: '/livez' });
    this.#guard();
  }

  #write(request, body) {
    const text = JSON.stringify(request);
    const frame = body ? join(encoder.encode(`${text}\n`), body) : text;
    this.#socket.send(frame);
    this.#show('out', frame);
  }

  #request(request, body, again) {
    if (this.#state === 'closed') return Promise.reject(new TidingsError(0, 'closed', 'the client was closed'));
    if (this.#state !== 'open' && this.#pending.size >= this.#options.queue) {
      return Promise.reject(new TidingsError(0, 'queue_full', `${this.#options.queue} requests already wait for the connection`));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { request, body, again, resolve, reject });
      if (this.#state === 'open') this.#write({ id, ...request }, body);
    });
  }

  #leave(entry) {
    if (this.#channels.get(entry.channel) !== entry) return;
    this.#channels.delete(entry.channel);
    clearTimeout(entry.retry);
    if (this.#state === 'open') this.#write({ method: 'DELETE', path: `/subscriptions/${encodeURIComponent(entry.channel)}` });
  }

  #rejectAll(which, code, message) {
    for (const [id, pending] of this.#pending) {
      if (which(pending) && this.#pending.delete(id)) pending.reject(new TidingsError(0, code, message));
    }
  }

  #subscribe(entry) {
    clearTimeout(entry.retry);
    const resume = entry.epoch ? { since: `${entry.epoch}:${entry.offset}` } : { since: entry.since, last: entry.last };
    const id = `get ${this.#next++}`;
    entry.asked = id;
    this.#write({ id, method: 'GET', path: pathOf(entry.channel), ...resume }, entry.binary ? new Uint8Array(0) : null);
  }

  #show(dir, data) {
    if (!this.#watchers) return;
    const size = typeof data === 'string' ? encoder.encode(data).length : data.byteLength;
    this.#emit('frame', { dir, data, size, time: Date.now() });
  }

  #receive(data) {
    this.#heard = Date.now();
    if (typeof data === 'string') {
      this.#show('in', data);
      let message;
      try { message = JSON.parse(data); } catch { return; }
      for (const one of Array.isArray(message) ? message : [message]) this.#take(one);
      return;
    }
    const bytes = new Uint8Array(data);
    this.#show('in', bytes);
    const end = bytes.indexOf(10);
    if (end < 0) return;
    let head;
    try { head = JSON.parse(decoder.decode(bytes.subarray(0, end))); } catch { return; }
    this.#take({ ...head, data: bytes.slice(end + 1), binary: true });
  }

  #take(message) {
    if (message.id === undefined && message.status === undefined) return this.#push(message);
    if (typeof message.id === 'string') {
      const entry = [...this.#channels.values()].find((each) => each.asked === message.id);
      return entry && this.#subscribed(entry, message);
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return undefined;
    this.#pending.delete(message.id);
    return message.status < 400 ? pending.resolve(message) : pending.reject(errorOf(message));
  }

  #subscribed(entry, answer) {
    entry.asked = null;
    if (answer.status >= 400) {
      const error = errorOf(answer);
      this.#emit('error', { channel: entry.channel, error });
      if (answer.status === 429 || answer.status === 503) {
        const wait = Math.random() * Math.min(this.#options.cap, 1000 * 2 ** entry.tries++);
        entry.retry = setTimeout(() => this.#state === 'open' && this.#subscribe(entry), wait);
      } else {
        entry.reject(error);
      }
      return;
    }
    const lost = Boolean(entry.epoch || entry.since) && answer.recovered === false;
    if (answer.epoch !== entry.epoch) this.#restart(entry, answer.epoch, 0);
    if (answer.connection) this.connection = answer.connection;
    entry.live = true;
    entry.tries = 0;
    if (lost) this.#gap(entry.channel, answer);
    for (const publication of answer.publications ?? []) this.#deliver(entry, publication);
    entry.offset = Math.max(entry.offset, answer.offset);
    entry.resolve(answer);
  }

  #push(message) {
    const entry = this.#channels.get(message.channel);
    if (!entry?.live) return; // left, or not yet answered
    if (!message.reset) return void this.#deliver(entry, message);
    this.#restart(entry, message.epoch, message.offset);
    this.#gap(entry.channel, message);
  }

  #restart(entry, epoch, offset) {
    entry.epoch = epoch;
    entry.offset = offset;
    for (const listener of entry.listeners) listener.offset = offset;
  }

  #deliver(entry, publication) {
    if (publication.offset <= entry.offset) return;
    entry.offset = publication.offset;
    publication.channel = entry.channel;
    unpack(publication);
    for (const listener of [...entry.listeners]) {
      if (listener.waiting) listener.waiting.push(publication);
      else hand(listener, publication);
    }
  }

  #gap(channel, { epoch, offset }) {
    this.#emit('gap', { channel, position: `${epoch}:${offset}` });
  }

  /** A second listener of a channel asks for its own past; what comes meanwhile waits behind it. */
  async #catchUp(entry, listener, options) {
    listener.waiting = [];
    let past = [];
    try {
      await entry.ready;
      const answer = await this.history(entry.channel, options);
      if (options.since !== undefined && answer.recovered === false) this.#gap(entry.channel, answer);
      if (answer.epoch === entry.epoch) past = answer.publications ?? [];
    } catch (error) {
      this.#emit('error', { channel: entry.channel, error });
    }
    const queue = listener.waiting;
    listener.waiting = null;
    for (const publication of [...past, ...queue]) {
      if (entry.listeners.has(listener) && publication.offset > listener.offset) hand(listener, { ...publication, channel: entry.channel });
    }
  }
}

function hand(listener, publication) {
  listener.offset = publication.offset;
  try {
    listener.fn(publication.data, publication);
  } catch (error) {
    setTimeout(() => { throw error; }); // shown in the browser's console, without harming the other listeners
  }
}

function unpack(publication) {
  if (typeof publication.data_base64 !== 'string') return;
  publication.data = Uint8Array.from(atob(publication.data_base64), (character) => character.charCodeAt(0));
  publication.binary = true;
  delete publication.data_base64;
}

function join(head, body) {
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}

function errorOf({ status, error }) {
  return new TidingsError(status, error?.code ?? 'unknown', error?.message ?? `the server answered ${status}`);
}

const pathOf = (channel) => `/channels/${encodeURIComponent(channel)}`;
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export default Tidings;

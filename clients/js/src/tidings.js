// What a page sees, and what was sent and is not answered yet.

/**
 * A connection that mends itself. Events (`on(name, fn)`, fn gets the detail):
 * - `open` {}, and `close` {code, reason, label, message}: `label` names the reason for programs, `message` is for people;
 * - `state` {state}: connecting, open, waiting, refused (by a server that wants none of this page; `retry()` asks again) or closed;
 * - `waiting` {at, wait}: when the next attempt is, as performance.now() counts, and in how many milliseconds from now;
 * - `gap` {channel, position}: publications before `position` were lost;
 * - `error` {channel, error, final}: a subscription was refused (final: and is not asked for again), or, without a channel, the
 *   whole connection. If nothing listens to these, nor to a subscription's `ready`, they are written to the console;
 * - `frame` {dir: 'in'|'out', data: string|Uint8Array, size, time}: each frame, for showing.
 */
class Tidings extends Events {
  #options; #signIn; #connection; #next = 1; #refusal = null; #limits = LIMITS; #suspectsLimits = false;
  #pending = new Map(); // requests without an answer, by id; they outlive connections
  #channels = new Map(); // subscribed channels, by name; so do these
  #sent = new Map(); // what this connection has sent and the server not answered, by id, in the order sent

  constructor(url = '/ws', options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options, WebSocket: webSocketOf(options) };
    this.url = addressOf(url);
    this.connection = undefined; // the server's public name for this connection, once it has sent it
    this.#signIn = new SignIn(this.#options.token, this.#hooks());
    this.#connection = new Connection(this.url, this.#options, this.#signIn, this.#hooks());
    try {
      this.#connection.connect();
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  get state() { return this.#connection.state; }

  /** What one message may be: { message_bytes, body_bytes, binary, batch }; the defaults until the server has sent its own. */
  get limits() { return this.#limits; }

  /**
   * Subscribes: `fn(data, publication)` for each publication, first those that `since` ('epoch:offset') or `last` (a count)
   * asks for. Binary data arrives as a Uint8Array. `binary: true` asks the server for binary frames instead of base64.
   * Returns { channel, position, ready, close() }; `signal`, an AbortSignal, closes it as well. `ready` resolves with the
   * server's first answer. A refusal rejects it, is an `error` event and calls `onError`; one that may pass (429, 5xx) is asked
   * again, and `ready` then stands for that. A subscription that the server ends, since it is no longer allowed, is refused, too.
   * @param {string} channel
   * @param {(data: any, publication: {channel: string, offset: number, data: any, event?: string, time?: number}) => void} fn
   * @param {{since?: string, last?: number, binary?: boolean, signal?: AbortSignal, onError?: (error: TidingsError) => void}} [options]
   */
  subscribe(channel, fn, options = {}) {
    if (typeof fn !== 'function') throw new TypeError('subscribe needs a function that takes the publications; history() and messages() do without');
    return this.#listen(channel, new Listener(fn, null, options.onError), options);
  }

  /** The same as `subscribe`. */
  get(channel, fn, options) { return this.subscribe(channel, fn, options); }

  /**
   * The publications of a channel for `for await (const { data, offset } of tidings.messages('news'))`, with the options of
   * `subscribe`. It subscribes at once and ends with the loop; it throws if the subscription is refused for good or aborted,
   * and where more than `buffer` publications wait for a loop that is slow.
   * @param {string} channel
   * @param {{since?: string, last?: number, binary?: boolean, signal?: AbortSignal, buffer?: number}} [options]
   * @returns {AsyncIterableIterator<{channel: string, offset: number, data: any, event?: string}>}
   */
  messages(channel, { buffer = 1000, ...options } = {}) {
    return new Messages(buffer, (fn, ended) => this.#listen(channel, new Listener(fn, ended), options));
  }

  #listen(channel, listener, { since, last, binary = false, signal }) {
    const name = String(channel);
    let entry = this.#channels.get(name);
    const close = () => this.#leave(entry, listener, new TidingsError(0, 'closed', 'the subscription was closed'));
    const subscription = {
      channel: name,
      get ready() {
        listener.heeded = true;
        return listener.ready;
      },
      get position() { return entry ? entry.position : since; },
      close,
    };
    if (signal?.aborted || this.state === 'closed') {
      listener.refused(signal?.aborted ? signal.reason : new TidingsError(0, 'closed', 'the client was closed'), true);
      return subscription;
    }
    const first = !entry;
    if (first) entry = this.#enter(name, { since, last, binary });
    else if (entry.live) listener.answered(entry.answer);
    entry.listeners.add(listener);
    listener.forget = onAbort(signal, (reason) => this.#leave(entry, listener, reason));
    if (!first && (since !== undefined || last !== undefined)) entry.catchUp(listener, { since, last });
    return subscription;
  }

  /**
   * Publishes `data`: any JSON value, or an ArrayBuffer, typed array or Blob as binary. Resolves with { channel, epoch,
   * offset }. `key` is made up unless given; `key: false` sends none, and then a post cut off by a lost connection is
   * rejected instead of being sent again. `excludeSelf` keeps the publication from coming back to this page. With
   * `ifMatch`, a position, it is published only as the next after that, or rejected with `moved`. What cannot be
   * written as JSON, or is larger than the server takes, is rejected at once. `signal` ends the wait for the answer; what
   * has been sent may still be published.
   * @param {string} channel
   * @param {any} data
   * @param {{event?: string, key?: string | false, excludeSelf?: boolean, ifMatch?: string, signal?: AbortSignal}} [options]
   * @returns {Promise<{channel: string, epoch: string, offset: number}>}
   */
  async publish(channel, data, { event, key = randomKey(), excludeSelf, ifMatch, signal } = {}) {
    const request = { method: 'POST', path: pathOf(channel), event, key: key || undefined, exclude_self: excludeSelf || undefined, if_match: ifMatch };
    const body = isBlob(data) ? await bytesOfBlob(data, this.#limits) : bytesOf(data);
    const passes = excludeSelf && String(channel);
    return this.#request(request, { data: body ? undefined : jsonOf(data, 'the data'), body, again: Boolean(key), passes, signal });
  }

  /** The same as `publish`. */
  post(channel, data, options) { return this.publish(channel, data, options); }

  /** What the channel remembers, without subscribing: { channel, epoch, offset, recovered, publications }. */
  async history(channel, { since, last, limit, signal } = {}) {
    const answer = await this.#request({ method: 'GET', path: pathOf(channel), once: true, since, last, limit }, { signal });
    answer.publications?.forEach(unpack);
    return answer;
  }

  /** Empties the channel's history (for operators). */
  async delete(channel, { signal } = {}) {
    return this.#request({ method: 'DELETE', path: pathOf(channel) }, { signal });
  }

  /**
   * Asks for the token again and presents it: after the user of the page signed in or out, or became another. Resolves when the
   * server has accepted it. What was refused before may be allowed now: subscribe once more.
   */
  async signIn({ signal } = {}) {
    if (this.state === 'open' && await this.#signIn.change()) return;
    this.#connection.replace('signs in anew');
    await this.#request({ method: 'GET', path: '/livez' }, { signal });
  }

  /** Makes the next attempt now: of the connection, or of subscriptions that were refused and wait. */
  retry() {
    this.#connection.retry();
    if (this.state !== 'open') return;
    for (const entry of [...this.#channels.values()]) if (entry.timer) this.#subscribe(entry);
  }

  /** Ends the connection for good; whatever is unanswered is rejected. */
  close() {
    if (this.state === 'closed') return;
    this.#connection.close();
    const error = new TidingsError(0, 'closed', 'the client was closed');
    for (const request of [...this.#pending.values()]) request.fail(error);
    for (const entry of this.#channels.values()) {
      clearTimeout(entry.timer);
      for (const listener of [...entry.listeners]) this.#leave(entry, listener, error);
    }
    for (const map of [this.#channels, this.#sent]) map.clear();
    this.#emit('close', { code: 1000, reason: '', label: 'closed', message: error.message });
    this.#emit('state', { state: 'closed' });
  }

  #emit(name, detail) {
    this.dispatchEvent(eventOf(name, detail));
  }

  #hooks() {
    const sent = this.#sent;
    return {
      opened: () => this.#opened(),
      received: (data) => this.#received(data),
      broke: (close) => this.#broke(close),
      changed: (detail) => this.#emit('state', detail),
      waits: (detail) => this.#emit('waiting', detail),
      ask: () => this.#ask({ method: 'GET', path: '/livez' }, () => {}),
      auth: (token) => this.#request({ method: 'AUTH', token }, { again: false }),
      another: () => this.#connection.replace('the token is that of another user'),
      failed: (error) => this.#fail({ error, final: false }),
      get unanswered() { return sent.size; },
    };
  }

  /** Signs in and asks for limits, without waiting for either; then everything that has no answer yet is sent again. */
  #opened() {
    this.#refusal = null;
    const token = this.#signIn.frame;
    const refused = (answer) => answer.status >= 400 && !answer.close && this.#connection.refuse(errorOf(answer));
    if (token) this.#ask({ method: 'AUTH', token }, refused);
    if (!this.#suspectsLimits) this.#ask({ method: 'GET', path: '/limits' }, (answer) => this.#learn(answer));
    this.#suspectsLimits = false;
    for (const entry of [...this.#channels.values()]) this.#subscribe(entry);
    for (const request of [...this.#pending.values()]) this.#post(request);
    if (this.state === 'open') this.#emit('open', {});
  }

  #learn(answer) {
    this.#limits = limitsOf(answer);
    if (answer.close) this.#suspectsLimits = true; // so the next connection begins without the question
  }

  /**
   * The connection ended. If something that was sent is to blame, it is the oldest that has no answer, since the server
   * answers what it read before it closes: that alone is rejected, as by an answer, and the rest is sent again. Where
   * nobody said why, the same request is suspected again each time it is the oldest, and given up after some times.
   */
  #broke(close) {
    const [oldest] = this.#sent.values();
    const lost = (request) => !request.again && this.#sent.has(request.id);
    const unheard = close.refusal && !close.answered; // on a connection that is refused from the beginning nothing is executed
    const cut = unheard ? [] : [...this.#pending.values()].filter(lost);
    this.#sent.clear();
    for (const entry of this.#channels.values()) {
      entry.live = false;
      clearTimeout(entry.timer);
      entry.timer = 0;
    }
    if (close.fault) oldest?.answered(close.fault);
    else if (close.silent) oldest?.suspected?.(close);
    for (const request of cut) request.fail(new TidingsError(0, 'connection_lost', 'the connection broke before the answer came'));
    if (close.refusal && !close.again) this.#refused(errorOf(close.refusal));
    const { code, reason, label, message } = close;
    this.#emit('close', { code, reason, label, message });
  }

  /** The server wants none of this connection. Where that is final nothing waits for it; subscriptions stay for `retry()`. */
  #refused(error) {
    const final = isFinal(error.status);
    if (final) {
      this.#refusal = error;
      for (const request of [...this.#pending.values()]) request.fail(error);
      for (const entry of this.#channels.values()) for (const listener of entry.listeners) listener.refused(error, false);
    }
    this.#fail({ error, final });
  }

  /** An error event, or, if nothing listens, a line in the console. */
  #fail(detail, heeded = false) {
    if (!Events.heard(this, 'error') && !heeded) globalThis.console?.error(`tidings: ${detail.channel === undefined ? this.url : `channel ${detail.channel}`}: ${detail.error.message}`);
    this.#emit('error', detail);
  }

  /** Sends a frame; its answer, or what stands for it, goes to `target.answered`. */
  #send(id, frame, target) {
    if (this.state !== 'open') return;
    this.#sent.set(id, target);
    try {
      this.#connection.send(frame);
    } catch (error) {
      this.#answer({ id, status: 400, error: { code: 'not_sent', message: error.message } });
      return;
    }
    this.#show('out', frame);
  }

  /** A question of the client's own; it is never sent again. */
  #ask(request, answered) {
    const id = this.#next++;
    this.#send(id, JSON.stringify({ id, ...request }), { answered });
  }

  #request(request, { data, body = null, again = true, passes, signal } = {}) {
    if (signal?.aborted) throw signal.reason;
    if (this.state === 'closed') throw new TidingsError(0, 'closed', 'the client was closed');
    if (this.state === 'refused') throw this.#refusal;
    if (this.state !== 'open' && this.#pending.size >= this.#options.queue) {
      throw new TidingsError(0, 'queue_full', `${this.#options.queue} requests already wait for the connection`);
    }
    const id = this.#next++;
    const frame = frameOf({ id, ...request }, data, body);
    checkFrame(frame, this.#limits);
    const done = (answer) => {
      this.#pending.delete(id);
      if (answer && passes) this.#channels.get(passes)?.passed(answer);
    };
    const waiting = new Request(id, frame, { again, resends: this.#options.resends, done });
    this.#pending.set(id, waiting);
    waiting.forget = onAbort(signal, (reason) => waiting.fail(reason));
    this.#post(waiting);
    return waiting.promise;
  }

  /** Sends a request, again or for the first time; another server may have said meanwhile that it takes less. */
  #post(request) {
    if (this.state !== 'open' || !this.#pending.has(request.id)) return;
    try {
      checkFrame(request.frame, this.#limits);
      this.#send(request.id, request.frame, request);
    } catch (error) {
      request.fail(error);
    }
  }

  /** Begins a subscription, or refuses one that cannot be asked for. */
  #enter(name, options) {
    const entry = new Channel(name, options, {
      gap: (...found) => this.#gap(...found),
      history: (...asked) => this.history(...asked),
      failed: ({ name: channel }, error) => this.#fail({ channel, error, final: false }),
    });
    entry.answered = (answer) => this.#subscribed(entry, answer);
    entry.suspected = ({ code }) => {
      const failed = new TidingsError(500, 'internal_error', 'the server failed each time it was asked');
      if (code === 1011 && ++entry.breaks >= this.#options.resends) this.#refuse(entry, failed, true);
    };
    try {
      checkFrame(frameOf(entry.request(this.#next)), this.#limits);
      entry.options = JSON.parse(jsonOf(options, 'the options')); // so that they never change or throw again
    } catch (error) {
      Promise.resolve().then(() => this.#refuse(entry, error, true)); // not before the page can listen
      return entry;
    }
    this.#channels.set(name, entry);
    if (this.state === 'open') this.#subscribe(entry);
    else if (this.state === 'refused') Promise.resolve(this.#refusal).then((error) => this.#tell(entry, error, false));
    return entry;
  }

  #subscribe(entry) {
    clearTimeout(entry.timer);
    entry.timer = 0;
    const id = this.#next++;
    const binary = entry.options.binary && this.#limits.binary; // a server that takes none sends base64
    this.#send(id, frameOf(entry.request(id), undefined, binary ? new Uint8Array(0) : null), entry);
  }

  #subscribed(entry, answer) {
    if (this.#channels.get(entry.name) !== entry) return; // left meanwhile
    if (answer.status < 400) {
      if (answer.connection) this.connection = answer.connection;
      entry.breaks = 0;
      entry.answer = answer;
      entry.subscribed(answer);
    } else if (answer.close === 1003 && entry.options.binary) {
      entry.options.binary = false; // text and base64 then
    } else {
      this.#refuse(entry, errorOf(answer), isFinal(answer.status));
    }
  }

  /** A subscription that was refused for good is not asked for again; a refusal that may pass is, after longer and longer waits. */
  #refuse(entry, error, final) {
    if (final) {
      if (this.#channels.get(entry.name) === entry) this.#channels.delete(entry.name);
    } else {
      const wait = (error.retryAfter ?? 0) + Math.random() * Math.min(this.#options.cap, 1000 * 2 ** entry.tries++);
      entry.timer = setTimeout(() => this.#subscribe(entry), wait);
    }
    this.#tell(entry, error, final);
  }

  /** Rejects everything that waits for a subscription that was refused. */
  #tell(entry, error, final) {
    const listeners = [...entry.listeners];
    for (const listener of listeners) {
      if (final) {
        entry.listeners.delete(listener);
        listener.forget();
      }
      listener.refused(error, final);
    }
    this.#fail({ channel: entry.name, error, final }, listeners.every(({ heeded, loops, onError }) => heeded || onError || (final && loops)));
  }

  #leave(entry, listener, error) {
    if (!entry?.listeners.delete(listener)) return;
    listener.forget();
    if (entry.live) listener.ended(error);
    else listener.refused(error, true);
    if (entry.listeners.size || this.#channels.get(entry.name) !== entry) return;
    clearTimeout(entry.timer);
    this.#channels.delete(entry.name);
    this.#ask({ method: 'DELETE', path: `/subscriptions/${encodeURIComponent(entry.name)}` }, () => {});
  }

  #show(dir, data) {
    if (Events.heard(this, 'frame')) this.#emit('frame', { dir, data: shownOf(data), size: sizeOf(data), time: Date.now() });
  }

  #received(data) {
    this.#show('in', data);
    for (const message of messagesOf(data)) {
      const entry = this.#channels.get(message.channel);
      if (message.auth === 'expiring') this.#signIn.expiring(message.in);
      else if (message.reconnect) this.#connection.advise(message.after_ms);
      else if (message.ended) { if (entry?.live) this.#refuse(entry, errorOf(message), true); } // one asked for since then has its own answer
      else if (message.status !== undefined) this.#answer(message);
      else entry?.push(message);
    }
  }

  /** An error without an id answers what is oldest: the server could not read the request far enough to name it. */
  #answer(message) {
    const [oldest] = this.#sent.keys();
    const id = message.id === undefined && message.status >= 400 ? oldest : message.id;
    const target = this.#sent.get(id);
    this.#sent.delete(id);
    if (message.status < 400) this.#connection.accepted();
    target?.answered(message);
  }

  #gap({ name: channel }, { epoch, offset }) {
    this.#emit('gap', { channel, position: `${epoch}:${offset}` });
  }
}

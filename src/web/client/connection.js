// One WebSocket after the other: when to connect, how long to wait, and whether the server still lives.

class Connection {
  #url; #options; #owner; #socket = null; #timer = 0; #watch = 0; #attempt = 0; #refusals = 0; #openedAt = null; #heard = 0; #asked = null; #asks = 0;
  #state = 'closed'; #told = 'closed'; #stop = () => {};

  /** `owner` hears `opened()`, `received(data)`, `broke(close)`, `changed(state)` and `waits(wait)`, and asks the server by `ask()`. */
  constructor(url, options, owner) {
    this.#url = url;
    this.#options = options;
    this.#owner = owner;
    this.#stop = listen({ online: () => this.#online(), offline: () => this.#offline(), pageshow: () => this.#wake() });
  }

  get state() { return this.#state; }

  connect() {
    clearTimeout(this.#timer);
    this.#state = 'connecting';
    const socket = new this.#options.WebSocket(this.#url, [SUBPROTOCOL]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(0, 'no handshake in time'), this.#options.connectTimeout);
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#drop(event.code ?? 1006, event.reason ?? '');
    socket.onerror = () => {}; // a close follows
    this.#tell();
  }

  /** A socket that cannot even be made is a failed attempt like any other: the next one follows. */
  #reconnect() {
    try {
      this.connect();
    } catch (error) {
      this.#drop(0, error.message);
    }
  }

  /** Makes the next attempt now, from a short wait or a long one. */
  retry() {
    if (this.#state === 'closed' || this.#socket) return;
    this.#attempt = this.#refusals = 0;
    this.#reconnect();
  }

  send(frame) {
    this.#socket.send(frame);
  }

  close() {
    this.#stop();
    this.#release();
    this.#state = this.#told = 'closed';
  }

  /** Reports the state once. A listener may have caused the next state already, which is then reported instead. */
  #tell() {
    if (this.#told !== this.#state) this.#owner.changed({ state: (this.#told = this.#state) });
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#openedAt = now();
    this.#hear();
    this.#state = 'open';
    this.#guard();
    this.#tell();
    if (this.#state === 'open') this.#owner.opened();
  }

  #receive(data) {
    this.#hear();
    this.#refusals = 0;
    this.#owner.received(typeof data === 'string' ? data : new Uint8Array(data));
  }

  #hear() {
    this.#heard = now();
    this.#asked = null;
    this.#asks = 0;
  }

  /** Lets go of the socket, whatever its state: a dead network would keep `close` waiting. */
  #release() {
    const socket = this.#socket;
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    if (!socket) return;
    this.#socket = socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState < 2) socket.close();
  }

  /** The connection ended: plans the next one first, since a listener that learns of the end may close the client or retry. */
  #drop(code, reason) {
    this.#release();
    const close = closeOf(code, reason);
    const pause = this.#pause(close);
    const timer = setTimeout(() => this.#reconnect(), pause);
    this.#timer = timer;
    this.#state = close.refusal && isFinal(close.refusal.status) ? 'refused' : 'waiting';
    this.#owner.broke(close);
    this.#tell();
    if (this.#timer === timer && !this.#socket && this.#state !== 'closed') this.#owner.waits({ at: now() + pause, wait: pause });
  }

  #pause({ fault, refusal }) {
    const { base, cap, slow, stable } = this.#options;
    if (this.#openedAt !== null && now() - this.#openedAt >= stable) this.#attempt = 0;
    this.#openedAt = null;
    if (refusal) return Math.min(slow, cap * 2 ** this.#refusals++) * (0.5 + Math.random() / 2);
    // One faulty request less with each connection: the others need not wait longer and longer for it.
    if (!fault || !this.#owner.unanswered) this.#attempt++;
    return Math.random() * Math.min(cap, base * 2 ** Math.max(0, this.#attempt - 1));
  }

  /** Events of the network may lie (a server on this machine needs none), so attempts go on; they cost nothing without one. */
  #offline() {
    this.#attempt = 0;
    if (this.#socket) this.#drop(0, 'the network went away');
  }

  /** An attempt that began without a network waits for packets that were lost. */
  #online() {
    if (this.#state === 'connecting') this.#release();
    this.#wake();
  }

  /** The network or the page came back: do not wait for a timer that slept as well. */
  #wake() {
    if (this.#state !== 'open') this.retry();
    else if (this.#asked === null) this.#ask();
  }

  /** One timer watches for silence: until the question is due, then until its answer is. */
  #guard() {
    const { silence, answer } = this.#options;
    const late = now() - (this.#asked === null ? this.#heard + silence : this.#asked + answer);
    if (late < 0) this.#watch = setTimeout(() => this.#guard(), -late);
    else if (this.#asked !== null && (late < answer || this.#asks > 1)) this.#drop(0, 'no answer to livez');
    else this.#ask(); // once more where this timer slept for so long that the answer may have come and not been read
  }

  #ask() {
    clearTimeout(this.#watch);
    this.#asked = now();
    this.#asks++;
    this.#owner.ask();
    if (this.#state === 'open') this.#guard();
  }
}

// One WebSocket after the other: when to connect, how long to wait, and whether the server still lives.

const LONGEST = 86_400_000; // no server takes a day to end

class Connection {
  #url; #options; #signIn; #owner; #socket = null; #fetching = null; #timer = 0; #watch = 0; #attempt = 0; #refusals = 0; #openedAt = null; #heard = 0;
  #asked = null; #asks = 0; #state = 'closed'; #told = 'closed'; #stop = () => {};
  #answered = false; // whether the server said anything on this connection
  #denied = false; // whether a token was refused, and none accepted since
  #over = false; // whether another one was refused as well: nothing but `retry` asks again
  #advised = null; // when to connect again, as the server of this connection says, which ends soon
  #leave = 0; // the timer of that
  #leaves = false; // whether that time has come

  /** `owner` hears `opened()`, `received(data)`, `broke(close)`, `changed(state)` and `waits(wait)`, and asks the server by `ask()`. */
  constructor(url, options, signIn, owner) {
    this.#url = url;
    this.#options = options;
    this.#signIn = signIn;
    this.#owner = owner;
    this.#stop = listen({ online: () => this.#online(), offline: () => this.#offline(), pageshow: () => this.#wake() });
  }

  get state() { return this.#state; }

  connect() {
    clearTimeout(this.#timer);
    this.#state = 'connecting';
    const fetching = this.#signIn.begin();
    if (fetching) this.#await(fetching);
    else this.#dial();
    this.#timer = setTimeout(() => this.#drop(0, `no ${this.#fetching ? 'token' : 'handshake'} in time`), this.#options.connectTimeout);
    this.#tell();
  }

  /** Goes on when the token is there, unless this attempt was given up meanwhile. */
  async #await(fetching) {
    this.#fetching = fetching;
    try {
      await fetching;
      if (this.#fetching === fetching) this.#dial();
    } catch (error) {
      if (this.#fetching === fetching) this.#drop(0, error.message);
    }
  }

  #dial() {
    const socket = new this.#options.WebSocket(this.#url, this.#signIn.protocols);
    this.#fetching = null;
    this.#answered = false;
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#drop(event.code ?? 1006, event.reason ?? '');
    socket.onerror = () => this.#failed(socket);
  }

  /** A close follows, but not in Node, whose WebSocket tells by an error alone that a handshake failed. */
  #failed(socket) {
    setTimeout(() => { if (this.#socket === socket && this.#openedAt === null) this.#drop(1006, ''); });
  }

  /** A socket that cannot even be made is a failed attempt like any other: the next one follows. */
  #reconnect() {
    try {
      this.connect();
    } catch (error) {
      this.#drop(0, error.message);
    }
  }

  /** Makes the next attempt now, from a short wait, a long one, or none. */
  retry() {
    if (this.#attempting) return;
    this.#denied = this.#over = false;
    this.#resume();
  }

  get #attempting() { return this.#state === 'closed' || this.#socket || this.#fetching; }

  #resume() {
    if (this.#attempting) return;
    this.#attempt = this.#refusals = 0;
    this.#reconnect();
  }

  /** Replaces the connection by another one. */
  replace(reason) {
    if (this.#socket || this.#fetching) this.#drop(1000, reason);
    this.retry();
  }

  /** Ends a connection on which the server refused something that is needed, as if it had closed it for that. */
  refuse({ status, code, message }) {
    this.#drop(4000 + status, `${code}: ${message}`);
  }

  /** The server ends soon, and says in how many milliseconds to connect again: so long this connection stays, if it can. */
  advise(after) {
    if (!Number.isFinite(after) || after < 0 || after > LONGEST || !this.#socket) return;
    clearTimeout(this.#leave);
    this.#advised = now() + after;
    this.#leave = setTimeout(() => { this.#leaves = true; this.#part(); }, after);
  }

  /** Leaves a server that ends, once it has answered everything: what it was asked last is not asked twice. */
  #part() {
    if (this.#leaves && this.#socket && !this.#owner.unanswered) this.#drop(1012, 'server_shutdown: the server said that it ends');
  }

  /** The server has carried out a request: this client is let in. */
  accepted() {
    this.#denied = false;
    this.#signIn.accepted();
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
    this.#answered = true;
    this.#owner.received(typeof data === 'string' ? data : new Uint8Array(data));
    this.#part();
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
    clearTimeout(this.#leave);
    this.#leaves = false;
    this.#signIn.end();
    this.#fetching = null;
    if (!socket) return;
    this.#socket = socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState < 2) socket.close();
  }

  /** The connection ended: plans the next one first, since a listener that learns of the end may close the client or retry. */
  #drop(code, reason) {
    if (this.#socket && this.#openedAt === null && code < 4000) this.#signIn.unexplained();
    this.#release();
    const close = this.#meaning(code, reason);
    const pause = this.#pause(close);
    const timer = this.#over ? 0 : setTimeout(() => this.#reconnect(), pause);
    this.#timer = timer;
    this.#state = close.refusal && !close.again && isFinal(close.refusal.status) ? 'refused' : 'waiting';
    this.#owner.broke(close);
    this.#tell();
    if (timer && this.#timer === timer && !this.#attempting) this.#owner.waits({ at: now() + pause, wait: pause });
  }

  /**
   * What a Close means after what came before it. Another token may be accepted where one was refused: that is tried `again`
   * once, since a server that refuses all of them would be asked for ever.
   */
  #meaning(code, reason) {
    const close = closeOf(code, reason);
    const unsigned = close.refusal?.status === 401 && this.#signIn.possible;
    close.answered = this.#answered;
    close.again = unsigned && !this.#denied;
    this.#over = unsigned && this.#denied;
    this.#denied ||= unsigned;
    return close;
  }

  #pause({ fault, refusal, again }) {
    const { base, cap, slow, stable } = this.#options;
    if (this.#openedAt !== null && now() - this.#openedAt >= stable) this.#attempt = 0;
    this.#openedAt = null;
    const advised = this.#advised;
    this.#advised = null;
    if (refusal && !again) return Math.min(slow, cap * 2 ** this.#refusals++) * (0.5 + Math.random() / 2);
    // Instead of a wait of its own: the server knows how many come back, and spreads them.
    if (advised !== null) return Math.max(0, advised - now());
    // One faulty request less with each connection: the others need not wait longer and longer for it.
    if (!fault || !this.#owner.unanswered) this.#attempt++;
    return Math.random() * Math.min(cap, base * 2 ** Math.max(0, this.#attempt - 1));
  }

  /** Events of the network may lie (a server on this machine needs none), so attempts go on; they cost nothing without one. */
  #offline() {
    this.#attempt = 0;
    if (this.#socket || this.#fetching) this.#drop(0, 'the network went away');
  }

  /** An attempt that began without a network waits for packets that were lost. */
  #online() {
    if (this.#state === 'connecting') this.#release();
    this.#wake();
  }

  /** The network or the page came back: do not wait for a timer that slept as well. */
  #wake() {
    if (this.#over) return;
    if (this.#state !== 'open') this.#resume();
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

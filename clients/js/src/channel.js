// One subscribed channel: where it stands, and who listens. Publications are handed over once and in order.

/** One listener: `fn(data, publication)`, and `ready`, which the server's answers settle. */
class Listener {
  offset = 0; // of the last publication it was handed
  waiting = null; // publications that wait until its past has come
  heeded = false; // whether anybody has asked for `ready`, and so hears of a refusal
  forget = () => {}; // ends the wait for its signal
  #settled = false;

  /** `ended(error)` hears when nothing comes any more, and `onError(error)` each refusal. */
  constructor(fn, ended, onError) {
    Object.assign(this, { fn, ended: ended ?? (() => {}), loops: Boolean(ended), onError });
    this.#renew();
  }

  #renew() {
    this.#settled = false;
    this.ready = new Promise((resolve, reject) => Object.assign(this, { settle: resolve, fail: reject }));
    this.ready.catch(() => {}); // not heeding it is allowed: there is the event
  }

  answered(answer) {
    if (this.#settled) this.#renew();
    this.#settled = true;
    this.settle(answer);
  }

  /** Refused. Unless that is final, `ready` stands for the next attempt from now on. */
  refused(error, final) {
    if (this.#settled) this.#renew();
    this.#settled = true;
    this.fail(error);
    if (error.status) call(this.onError, error); // not of a subscription that the page itself closed
    if (final) this.ended(error);
    else this.#renew();
  }

  hand(publication) {
    this.offset = publication.offset;
    call(this.fn, publication.data, publication);
  }
}

class Channel {
  constructor(name, options, owner) {
    Object.assign(this, { name, options, owner, epoch: '', offset: 0, live: false, listeners: new Set(), timer: 0, tries: 0, breaks: 0 });
    this.lived = new Promise((resolve) => { this.begin = resolve; }); // the first good answer
  }

  get position() { return this.epoch ? `${this.epoch}:${this.offset}` : this.options.since; }

  /** The request that goes on where this channel stands. */
  request(id) {
    const resume = this.epoch ? { since: this.position } : { since: this.options.since, last: this.options.last };
    return { id, method: 'GET', path: pathOf(this.name), ...resume };
  }

  /** The server's answer to that request. */
  subscribed(answer) {
    const asked = this.position;
    const lost = asked !== undefined && answer.recovered === false;
    const publications = answer.publications ?? [];
    if (lost || answer.epoch !== this.epoch) this.restart(answer.epoch, asked === undefined || lost ? (publications[0]?.offset ?? answer.offset + 1) - 1 : offsetOf(asked));
    this.live = true;
    this.tries = 0;
    if (lost) this.owner.gap(this, answer);
    for (const publication of publications) this.deliver(publication);
    if (asked === undefined || lost) this.offset = Math.max(this.offset, answer.offset);
    else this.advance(answer.offset, answer.offset);
    this.begin();
    for (const listener of this.listeners) listener.answered(answer);
  }

  push(message) {
    if (!this.live) return; // not yet answered
    if (message.reset) {
      this.restart(message.epoch, message.offset);
      this.owner.gap(this, message);
    } else if ('data' in message || 'data_base64' in message) {
      this.deliver(message);
    } else if (message.excluded) {
      this.advance(message.offset);
    }
  }

  /** The answer to a post of this page's own that is not pushed to it: the position moves on as if it had been. */
  passed({ epoch, offset }) {
    if (this.live && epoch === this.epoch && offset === this.offset + 1) this.offset = offset;
  }

  /** Moves on to `offset`; false if that was reached before. Nothing has reported what lies between, so this does. */
  advance(offset, reached = offset - 1) {
    if (offset <= this.offset) return false;
    if (reached > this.offset) this.owner.gap(this, { epoch: this.epoch, offset: reached });
    this.offset = offset;
    return true;
  }

  /** Continuity is lost. What waits for a listener's past came before that, and is not mixed with what comes after it. */
  restart(epoch, offset) {
    this.epoch = epoch;
    this.offset = offset;
    for (const listener of this.listeners) {
      this.release(listener, false);
      listener.offset = listener.waiting ? 0 : offset; // what waits for its past has been handed nothing yet
    }
  }

  deliver(publication) {
    if (!this.advance(publication.offset)) return;
    publication.channel = this.name;
    unpack(publication);
    for (const listener of [...this.listeners]) {
      if (listener.waiting) listener.waiting.push(publication);
      else listener.hand(publication);
    }
  }

  /** A later listener asks for its own past, page by page; what comes meanwhile waits until that has come. */
  async catchUp(listener, asks) {
    listener.waiting = [];
    try {
      await this.lived;
      const since = asks.since !== undefined;
      for (let epoch = this.epoch; ;) {
        const answer = await this.owner.history(this.name, asks);
        if (since && answer.recovered === false) this.owner.gap(this, answer);
        if (epoch !== this.epoch || answer.epoch !== epoch || !this.listeners.has(listener)) break;
        const page = answer.publications ?? [];
        for (const publication of page) this.handAgain(listener, publication);
        const next = listener.waiting[0]?.offset ?? this.offset + 1;
        if (!since || !page.length || answer.offset + 1 >= next) break;
        asks = { since: `${epoch}:${answer.offset}` };
      }
    } catch (error) {
      this.owner.failed(this, error);
    }
    this.release(listener, true);
  }

  /** Hands over what waited; a listener whose past is there takes part from then on. */
  release(listener, done) {
    for (const publication of listener.waiting?.splice(0) ?? []) this.handAgain(listener, publication);
    if (done) listener.waiting = null;
  }

  handAgain(listener, publication) {
    if (this.listeners.has(listener) && publication.offset > listener.offset) listener.hand({ ...publication, channel: this.name });
  }
}

/** The offset of a position. */
const offsetOf = (position) => Number(/:(\d+)$/.exec(position)?.[1] ?? 0);

// One subscribed channel: where it stands, and who listens. Publications are handed over once and in order.

class Channel {
  constructor(name, options, owner) {
    Object.assign(this, { name, options, owner, epoch: '', offset: 0, live: false, listeners: new Set(), timer: 0, tries: 0 });
    this.ready = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.ready.catch(() => {});
  }

  get position() { return this.epoch ? `${this.epoch}:${this.offset}` : this.options.since; }

  /** The request that goes on where this channel stands. */
  request(id) {
    const resume = this.epoch ? { since: this.position } : { since: this.options.since, last: this.options.last };
    return { id, method: 'GET', path: pathOf(this.name), ...resume };
  }

  /** The server's answer to that request. */
  subscribed(answer) {
    const lost = Boolean(this.epoch || this.options.since) && answer.recovered === false;
    if (answer.epoch !== this.epoch) this.restart(answer.epoch, 0);
    this.live = true;
    this.tries = 0;
    if (lost) this.owner.gap(this, answer);
    for (const publication of answer.publications ?? []) this.deliver(publication);
    this.offset = Math.max(this.offset, answer.offset);
    this.resolve(answer);
  }

  push(message) {
    if (!this.live) return; // not yet answered
    if (!message.reset) return void this.deliver(message);
    this.restart(message.epoch, message.offset);
    this.owner.gap(this, message);
  }

  restart(epoch, offset) {
    this.epoch = epoch;
    this.offset = offset;
    for (const listener of this.listeners) listener.offset = offset;
  }

  deliver(publication) {
    if (publication.offset <= this.offset) return;
    this.offset = publication.offset;
    publication.channel = this.name;
    unpack(publication);
    for (const listener of [...this.listeners]) {
      if (listener.waiting) listener.waiting.push(publication);
      else hand(listener, publication);
    }
  }

  /** A second listener asks for its own past; what comes meanwhile waits until that has come. */
  async catchUp(listener, options) {
    listener.waiting = [];
    let past = [];
    try {
      await this.ready;
      const answer = await this.owner.history(this.name, options);
      if (options.since !== undefined && answer.recovered === false) this.owner.gap(this, answer);
      if (answer.epoch === this.epoch) past = answer.publications ?? [];
    } catch (error) {
      this.owner.failed(this, error);
    }
    const queue = listener.waiting;
    listener.waiting = null;
    for (const publication of [...past, ...queue]) {
      if (this.listeners.has(listener) && publication.offset > listener.offset) hand(listener, { ...publication, channel: this.name });
    }
  }
}

function hand(listener, publication) {
  listener.offset = publication.offset;
  try {
    listener.fn(publication.data, publication);
  } catch (error) {
    setTimeout(() => { throw error; }); // shown in the console, without harming the other listeners
  }
}

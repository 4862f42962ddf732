// A channel's publications for `for await`.

class Messages {
  #queue = []; #waiting = []; #end = null; #most; #subscription;

  /** `subscribe(fn, ended)` begins; `most` publications may wait for the loop. */
  constructor(most, subscribe) {
    this.#most = most;
    this.#subscription = subscribe((_, publication) => this.#take(publication), (error) => this.#finish(error?.code === 'closed' ? undefined : error));
  }

  [Symbol.asyncIterator]() { return this; }

  /** Settles when the subscription is answered, as that of `get` does. */
  get ready() { return this.#subscription.ready; }

  get position() { return this.#subscription.position; }

  next() {
    if (this.#queue.length) return Promise.resolve({ value: this.#queue.shift(), done: false });
    if (!this.#end) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const { error } = this.#end;
    this.#end = {}; // an error is reported once
    return error ? Promise.reject(error) : Promise.resolve({ value: undefined, done: true });
  }

  return(value) {
    this.#queue = [];
    this.#finish();
    return Promise.resolve({ value, done: true });
  }

  #take(publication) {
    const waits = this.#waiting.shift();
    if (waits) return waits.resolve({ value: publication, done: false });
    if (this.#queue.length < this.#most) return this.#queue.push(publication);
    const since = this.position.replace(/\d+$/, this.#queue.at(-1).offset);
    return this.#finish(new TidingsError(0, 'slow_consumer', `more than ${this.#most} publications wait to be read; { since: '${since}' } goes on after them`));
  }

  /** Nothing comes any more: what waits in the queue is still handed over, then the loop ends, or throws the error. */
  #finish(error) {
    if (this.#end) return;
    this.#end = { error };
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#end.error) reject(error);
      else resolve({ value: undefined, done: true });
      this.#end = {};
    }
    this.#subscription?.close();
  }
}

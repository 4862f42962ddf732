// One request that is to be answered: its frame, which is the same each time it is sent, and the promise of its answer.

class Request {
  breaks = 0; // connections that broke while it was the oldest without an answer
  forget = () => {}; // ends the wait for its signal

  /** `done(answer)` hears once that it is over; the answer is there if it was a good one. */
  constructor(id, frame, { again, resends, done }) {
    Object.assign(this, { id, frame, again, resends, done });
    this.promise = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
  }

  answered(answer) {
    if (answer.status >= 400) return this.fail(errorOf(answer));
    this.#end(answer);
    return this.resolve(answer);
  }

  /** A connection broke without a reason while this was the oldest request without an answer. */
  suspected() {
    if (++this.breaks < this.resends) return;
    this.fail(new TidingsError(0, 'connection_lost', `${this.breaks} connections broke before the answer came`));
  }

  fail(error) {
    this.#end();
    this.reject(error);
  }

  #end(answer) {
    this.forget();
    this.done?.(answer);
    this.done = null;
  }
}

// Who the client is: tokens are asked for when a connection begins and before one expires, and are never shown.

const TOKEN_SUBPROTOCOL = 'tidings.token.';

/** What can be the name of a subprotocol, and is not too long for the head of a request; anything else is presented by AUTH. */
const FITS = /^[\w.~-]{1,4096}$/;

/** The token that was given or fetched; empty for none. What is wrong with it never repeats it. */
function tokenOf(found) {
  if (found === undefined || found === null) return '';
  if (typeof found === 'string') return found.trim();
  throw new TidingsError(0, 'token_unavailable', `a token is a string, and \`token\` gave ${Array.isArray(found) ? 'an array' : `a value of type ${typeof found}`}`);
}

/** A frame as it may be shown. */
const shownOf = (frame) => (typeof frame === 'string' ? frame.replace(/^(\{"id":\d+,"method":"AUTH","token":)"(?:[^"\\]|\\.)*"/, '$1"…"') : frame);

class SignIn {
  #option; #owner; #token = ''; #since = 0; #timer = 0; #turn = 0; #byFrame = false;

  /** `owner` is told of what failed by `failed(error)`, and presents a token on the open connection by `auth(token)`. */
  constructor(option, owner) {
    this.#option = option;
    this.#owner = owner;
  }

  /** Whether a connection that was refused for its token can come with another one. */
  get possible() { return this.#option !== undefined && this.#option !== null; }

  /** What a new connection offers. Only a token in it counts for what the address of the socket itself asks for. */
  get protocols() { return this.#token && !this.frame ? [SUBPROTOCOL, TOKEN_SUBPROTOCOL + this.#token] : [SUBPROTOCOL]; }

  /** The token that a new connection presents in its first frame; empty for none. */
  get frame() { return this.#byFrame || !FITS.test(this.#token) ? this.#token : ''; }

  /** A connection begins. Returns a promise where its token has to be fetched. */
  begin() {
    this.end();
    if (typeof this.#option !== 'function') return void this.#take(tokenOf(this.#option));
    const turn = this.#turn;
    return this.#fetch(turn).then((token) => { if (turn === this.#turn) this.#take(token); });
  }

  /** What was planned or asked for a connection that is over counts no more. */
  end() {
    clearTimeout(this.#timer);
    this.#turn++;
  }

  /**
   * A handshake failed without a reason: outside of browsers that is how a token is refused, and some proxies take no such
   * subprotocol. The answer to AUTH can be read everywhere.
   */
  unexplained() { this.#byFrame = true; }

  /** The server let this client in. */
  accepted() { this.#byFrame = false; }

  /** The server says for how many seconds the token holds. */
  expiring(seconds) {
    if (!this.possible || !(seconds >= 0)) return;
    const left = seconds * 1000;
    // A token that is younger than this is one for a short time, and the next notice follows its renewal at once.
    this.#plan(now() + left, Math.max(0, left - (now() - this.#since)) / 2);
  }

  /** Presents a newly fetched token. False if only another connection can: it is that of another user, or there is none. */
  async change() {
    const turn = this.#turn;
    const token = await this.#fetch(turn);
    if (turn !== this.#turn) return false;
    return token === this.#token || this.#present(token);
  }

  #plan(end, wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#renew(end), wait);
  }

  /** Fetches a token that replaces the one that ends; one that cannot be had, or is still the same, is asked for again. */
  async #renew(end) {
    const turn = this.#turn;
    try {
      const token = await this.#fetch(turn);
      if (turn !== this.#turn) return;
      if (token && token !== this.#token) {
        const taken = await this.#present(token);
        if (!taken && turn === this.#turn) this.#owner.another();
        return;
      }
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error.code !== 'token_unavailable') this.#owner.failed(error); // and that was told of
    }
    const left = end - now();
    if (left > 1000) this.#plan(end, left / 2);
  }

  async #present(token) {
    if (!token) return false;
    const turn = this.#turn;
    this.#since = now(); // before the answer, which a notice may follow at once
    try {
      await this.#owner.auth(token);
    } catch (error) {
      if (error.status === 403 || turn !== this.#turn) return false; // another connection begins with a token of its own
      throw error;
    }
    if (turn === this.#turn) this.#token = token;
    return true;
  }

  #take(token) {
    this.#token = token;
    this.#since = now();
  }

  async #fetch(turn) {
    try {
      return tokenOf(typeof this.#option === 'function' ? await this.#option() : this.#option);
    } catch (error) {
      const failed = error instanceof TidingsError ? error : new TidingsError(0, 'token_unavailable', `no token could be fetched: ${error?.message ?? error}`);
      if (turn === this.#turn) this.#owner.failed(failed);
      throw failed;
    }
  }
}

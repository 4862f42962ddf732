// The browser client of Tidings: one small file, no dependencies.
//
//   import Tidings from '/tidings.js';            // or, as a classic script: <script src="/tidings.global.js"></script>
//   const tidings = new Tidings();                // outside a page of the server: new Tidings('ws://127.0.0.1:8080/ws')
//   tidings.subscribe('news', (data, publication) => console.log(publication.offset, data), { last: 10 });
//   await tidings.publish('news', { hello: 'world' });
//   for await (const { data } of tidings.messages('news')) console.log(data);
//
//   const token = async () => (await fetch('/my/token')).text();      // signed in: a token (or a function that gets one) or a key
//   const tidings = new Tidings('wss://push.example.com/ws', { token });
//
// subscribe and publish are called get and post, too, as in the protocol. It runs in pages and workers, in Node from 22 (from 20
// with { WebSocket } of the npm package ws), Deno and Bun.
//
// It reconnects by itself and resumes each channel where it stood. Every publication is handed over exactly once and in
// order, or a 'gap' event says that some could not be recovered. A post that was not answered when the connection broke
// is sent again with the same idempotency key, so it is published once, unless the server itself lost its memory. What
// ended the connection is not sent again: it is rejected with the reason, and everything else goes on.

const SUBPROTOCOL = 'tidings.v1';

/** Every limit and time of the client (milliseconds); `new Tidings(url, { cap: 5000 })` changes them. */
const DEFAULTS = {
  base: 500, // the first wait before a reconnect is random between 0 and this; it doubles with each failure
  cap: 20_000, // and never exceeds this
  slow: 300_000, // nor does the wait after a refusal of the whole connection, which begins with `cap`
  stable: 5_000, // a connection that lived this long sets the waits back to `base`
  connectTimeout: 10_000, // a handshake that takes longer is given up
  silence: 25_000, // after so long without a frame the server is asked whether it lives
  answer: 10_000, // and if it says nothing for this long, the connection is replaced
  queue: 100, // requests kept while disconnected; more are rejected with `queue_full`
  resends: 8, // a request that was the oldest unanswered one when this many connections broke is rejected
  // Who the client is: a token, or a function that returns one (or a promise; null for none), which is called for each connection, and
  // before a token expires. It is never written down. After a refusal for it, another one is tried once.
  token: undefined,
  WebSocket: undefined, // another implementation than the global one, for Node before 22
};

/** What a client may send until the server has sent its own limits: the server's defaults. */
const LIMITS = Object.freeze({ message_bytes: 65_536, body_bytes: 1_048_576, binary: true, batch: 100 });

const isLimit = (value, usual) => typeof value === typeof usual && (typeof value === 'boolean' || value > 0);

/** The limits in an answer; the usual ones for what it does not say, and where a server does not state its own. */
function limitsOf(answer) {
  if (answer.status >= 400) return LIMITS;
  return Object.freeze(Object.fromEntries(Object.entries(LIMITS).map(([name, usual]) => [name, isLimit(answer[name], usual) ? answer[name] : usual])));
}

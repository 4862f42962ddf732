// The cases that every client runs, clients/cases/*.json, by the browser client, in memory. Their README says what a step means.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fakeClock, LIMITS, loadClient, settle } from './support.mjs';

const CASES = new URL('../../../clients/cases/', import.meta.url);
const PATIENCE = 60_000;
const { Tidings } = await loadClient();
const bytesOf = (base64) => [...Buffer.from(base64, 'base64')];

/** What the client connects to: connections and frames in the order they came, which the steps of a case take. */
class Server {
  connections = [];
  frames = [];
  current = null;

  constructor(limits, clock) {
    const server = this;
    this.WebSocket = class {
      readyState = 0;
      constructor(_, protocols) {
        const prefix = 'tidings.token.';
        server.connections.push({ at: clock.monotonic, socket: this, token: protocols.find((each) => each.startsWith(prefix))?.slice(prefix.length) ?? null });
        Promise.resolve().then(() => {
          this.readyState = 1;
          server.current = this;
          this.onopen?.({});
        });
      }
      send(frame) {
        const bytes = typeof frame === 'string' ? null : Buffer.from(frame);
        const end = bytes?.indexOf(10);
        const request = JSON.parse(bytes ? bytes.subarray(0, end).toString() : frame);
        const own = { '/limits': limits, '/livez': {} }[request.path];
        if (own === null) return;
        if (own) Promise.resolve().then(() => this.tell(JSON.stringify({ id: request.id, status: 200, ...own })));
        else server.frames.push({ at: clock.monotonic, request, body: bytes && [...bytes.subarray(end + 1)] });
      }
      tell(data) { this.onmessage?.({ data }); }
      end(code, reason) {
        this.readyState = 3;
        this.onclose?.({ code, reason });
      }
      close() { this.readyState = 3; }
    };
  }
}

/** One case on its way: the client, what it told, and what the names of the case stand for. */
class Conversation {
  told = [];
  before = 0; // when the step before happened
  names = new Map();
  subscriptions = new Map();
  tidings = null;

  constructor({ options = {}, limits = LIMITS }, clock) {
    this.clock = clock;
    this.server = new Server(limits, clock);
    const tokens = [...(options.tokens ?? [])];
    this.options = { WebSocket: this.server.WebSocket };
    if (options.token) this.options.token = options.token;
    if (options.tokens) this.options.token = () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
  }

  begin() {
    this.tidings = new Tidings('ws://server.test/ws', this.options);
    this.tidings.on('gap', (gap) => this.told.push({ gap }));
    this.tidings.on('error', ({ channel, error: { status, code, retryAfter }, final }) => {
      if (channel !== undefined) this.told.push({ refused: { channel, status, code, final, retry_after_ms: retryAfter } });
    });
  }

  /** The next of a list, for which time passes. */
  async next(list, what) {
    for (let passed = 0; !list.length && passed < PATIENCE; passed += 10) await this.clock.pass(10);
    assert.ok(list.length, `there is no ${what}`);
    return list.shift();
  }

  /** A value of the case: names stand for what they stood for first. */
  same(wanted, found) {
    if (typeof wanted !== 'string' || !wanted.startsWith('$')) return wanted;
    if (!this.names.has(wanted)) this.names.set(wanted, found);
    return this.names.get(wanted);
  }

  filled(value) {
    if (Array.isArray(value)) return value.map((each) => this.filled(each));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.filled(each)]));
    return this.names.get(value) ?? value;
  }

  async step(step) {
    let happened = this.clock.monotonic;
    const timely = ({ at }) => {
      const [least, most] = step.after_ms ?? [-Infinity, Infinity];
      assert.ok(at - this.before >= least && at - this.before <= most, `after ${at - this.before} ms`);
      happened = at;
    };
    if (step.program) this[step.program](step);
    if (step.connects) {
      const connection = await this.next(this.server.connections, 'connection');
      assert.equal(connection.token, step.connects.token);
      timely(connection);
    }
    if (step.sends) {
      const sent = await this.next(this.server.frames, 'frame');
      assert.deepEqual(sent.request, Object.fromEntries(Object.entries(step.sends).map(([name, wanted]) => [name, this.same(wanted, sent.request[name])])));
      assert.deepEqual(sent.body, step.base64 === undefined ? null : bytesOf(step.base64));
      timely(sent);
    }
    if (step.says !== undefined) this.server.current.tell(typeof step.says === 'string' ? step.says : JSON.stringify(this.filled(step.says)));
    if (step.says_binary) {
      const frame = Buffer.concat([Buffer.from(`${JSON.stringify(step.says_binary)}\n`), Buffer.from(step.base64, 'base64')]);
      this.server.current.tell(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.length));
    }
    if (step.ends) this.server.current.end(step.ends.code, step.ends.reason);
    if (step.hears) this.hears(step.hears, await this.next(this.told, 'word to the program'));
    this.before = happened;
    await settle();
  }

  hears(wanted, told) {
    const [[kind, members]] = Object.entries(wanted);
    assert.equal(Object.keys(told)[0], kind, JSON.stringify(told));
    for (const [name, value] of Object.entries(members)) {
      if (name === 'base64') assert.deepEqual([...told[kind].data], bytesOf(value));
      else assert.deepEqual(told[kind][name], value, `${kind}.${name}`);
    }
  }

  subscribe({ channel, since, last, binary }) {
    const subscription = this.tidings.subscribe(channel, (_, publication) => this.told.push({ publication }), { since, last, binary });
    subscription.ready.catch(() => {});
    this.subscriptions.set(channel, subscription);
  }

  publish({ channel, data, base64, event, key, retry, exclude_self: excludeSelf, if_match: ifMatch }) {
    const body = base64 === undefined ? data : new Uint8Array(bytesOf(base64));
    this.ask('published', this.tidings.publish(channel, body, { event, key: retry === false ? false : key, excludeSelf, ifMatch }));
  }

  delete({ channel }) { this.ask('deleted', this.tidings.delete(channel)); }

  sign_in() { this.ask('signed_in', this.tidings.signIn()); }

  /** Tells what becomes of it, without waiting for that. */
  ask(kind, work) {
    work.then(
      (answer) => this.told.push({ [kind]: answer ?? {} }),
      ({ status, code, retryAfter, position }) => this.told.push({ failed: { status, code, retry_after_ms: retryAfter, position } }),
    );
  }

  unsubscribe({ channel }) { this.subscriptions.get(channel).close(); }

  close() { this.tidings.close(); }
}

for (const name of readdirSync(CASES).filter((each) => each.endsWith('.json')).sort()) {
  const { about, steps, ...given } = JSON.parse(readFileSync(new URL(name, CASES), 'utf8'));
  test(`${name.slice(0, -5)}: ${about}`, async () => {
    const clock = fakeClock();
    const conversation = new Conversation(given, clock);
    try {
      conversation.begin();
      for (const [index, step] of steps.entries()) {
        await conversation.step(step).catch((error) => { throw new Error(`step ${index + 1}, ${JSON.stringify(step)}: ${error.message}`, { cause: error }); });
      }
      await clock.pass(100);
      assert.deepEqual([conversation.server.frames, conversation.told, conversation.server.connections.length], [[], [], 0]);
    } finally {
      conversation.tidings?.close();
      clock.restore();
    }
  });
}

// What the clients send in clients/cases, sent to a real server, which reads all of it: node frames.mjs PATH/TO/tidings
// And the other way round: what the server says there has only members that a real one may send.

import { readdirSync, readFileSync } from 'node:fs';
import WebSocket from 'ws';
import { checks, equal, startServer, within } from '../e2e/support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node frames.mjs PATH/TO/tidings');

const CASES = new URL('../../clients/cases/', import.meta.url);
const { check, finish } = checks();
const server = await startServer(binary);
let made = 0;

/** A frame of a case with ids and keys in the place of its names. */
function frameOf({ sends, base64 }) {
  const values = { id: ++made, key: `key-${made}` };
  const request = Object.fromEntries(Object.entries(sends).map(([name, value]) => [name, String(value).startsWith('$') ? values[name] : value]));
  return { request, frame: base64 === undefined ? JSON.stringify(request) : Buffer.concat([Buffer.from(`${JSON.stringify(request)}\n`), Buffer.from(base64, 'base64')]) };
}

/** What is no mistake of a client: a name that the case makes wrong, a token or a position that this server does not know, nothing to end. */
const MAY_BE = ['bad_channel', 'token_invalid', 'operator_needed', 'not_subscribed', 'moved'];

const answers = { GET: new Set(), POST: new Set(), DELETE: new Set(), AUTH: new Set(), push: new Set() };
for (const name of readdirSync(CASES).filter((each) => each.endsWith('.json')).sort()) {
  const { steps } = JSON.parse(readFileSync(new URL(name, CASES), 'utf8'));
  const sent = steps.filter(({ sends }) => sends).map(frameOf);
  await check(`a real server reads what is sent in ${name}`, async () => {
    const socket = new WebSocket(server.socketUrl, ['tidings.v1']);
    await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'a socket');
    const found = new Map();
    const all = new Promise((resolve, reject) => {
      socket.on('message', (data, isBinary) => {
        const message = JSON.parse(isBinary ? data.subarray(0, data.indexOf(10)) : data);
        if (message.status === undefined) return void Object.keys(message).forEach((each) => answers.push.add(each));
        found.set(message.id, message);
        if (found.size === sent.length) resolve();
      });
      socket.once('close', (code, reason) => reject(new Error(`closed with ${code} ${reason}`)));
    });
    for (const { frame } of sent) socket.send(frame);
    if (sent.length) await within(all, 'the answers', 10_000);
    for (const { request } of sent) {
      const { status, error, ...more } = found.get(request.id);
      if (status < 400) Object.keys(more).forEach((each) => answers[request.method].add(each));
      equal(status < 400 || MAY_BE.includes(error.code), true, JSON.stringify([request, error]));
    }
    socket.removeAllListeners('close').terminate();
  });
}

await check('answers and pushes of the cases have the members that a real server sends, or that PROTOCOL.md names', () => {
  const named = readFileSync(new URL('../../src/protocol/tidings/PROTOCOL.md', import.meta.url), 'utf8');
  const odd = [];
  for (const name of readdirSync(CASES).filter((each) => each.endsWith('.json') && each !== 'batches.json')) {
    const { steps } = JSON.parse(readFileSync(new URL(name, CASES), 'utf8'));
    for (const { says, says_binary: line } of steps) {
      for (const member of Object.keys((typeof says === 'string' ? JSON.parse(says) : says) ?? line ?? {})) {
        const sent = Object.values(answers).some((each) => each.has(member));
        if (!sent && !named.includes(`\`${member}\``) && !named.includes(`"${member}"`)) odd.push(`${name}: ${member}`);
      }
    }
  }
  equal(odd, [], 'members');
});

await server.end();
finish();

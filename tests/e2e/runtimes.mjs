// The browser client in Node, Deno and Bun: node runtimes.mjs PATH/TO/tidings
// Deno and Bun are those of `npm ci` in tests/e2e/runtimes, where that can be had.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { checks, equal, post, startProxy, startServer, within } from './support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node runtimes.mjs PATH/TO/tidings');

const { check, finish } = checks();
const server = await startServer(binary);
const script = fileURLToPath(new URL('runtimes/conversation.mjs', import.meta.url));
const installed = (name) => fileURLToPath(new URL(`runtimes/node_modules/.bin/${name}`, import.meta.url));

/** Runs the conversation and returns what it found; its connection is cut when it says so, and healed after a post. */
async function converse(command, more = []) {
  const proxy = await startProxy(server.port);
  const child = spawn(command[0], [...command.slice(1), script, server.url, proxy.url, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout });
  try {
    return await within(new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => reject(new Error(`ended with ${code} before it said what it found`)));
      lines.on('line', (line) => {
        if (line === 'cut') {
          proxy.cut();
          post(server.url, 'runtimes', 'missed').then(() => proxy.heal(), reject);
        } else if (line.startsWith('{')) {
          resolve(JSON.parse(line));
        }
      });
    }), command.join(' '), 60_000);
  } finally {
    child.kill('SIGKILL');
    proxy.end();
  }
}

const RESULT = {
  url: `${server.url.replace('http', 'ws')}/ws`,
  heard: [{ text: '你好' }, [1, 0, 10, 2], [3]],
  history: 3,
  refused: 'bad_json',
  large: 'message_too_big',
  aborted: 'AbortError',
  resumed: ['before', 'missed'],
};
const [major] = process.versions.node.split('.').map(Number);
const network = `127.0.0.1:${server.port}`;
const RUNTIMES = [
  ['Node with its own WebSocket', [process.execPath, ...(major < 22 ? ['--experimental-websocket'] : [])]],
  ['Node with npm ws', [process.execPath], ['ws']],
  ['Deno, which loads it from the server', [installed('deno'), 'run', '--quiet', '--no-prompt', '--no-config', '--allow-net=127.0.0.1', `--allow-import=${network}`]],
  ['Bun', [installed('bun'), '--no-install']],
];
for (const [name, command, more] of RUNTIMES) {
  await check(`our browser client runs in ${name}`, async () => {
    if (!existsSync(command[0])) return 'skip';
    return equal(await converse(command, more), RESULT, name);
  });
}

await check('Node without a WebSocket is told what to do', async () => {
  if (major >= 22) return 'skip';
  return equal((await converse([process.execPath])).error.includes('Node 22'), true, 'the error');
});

await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();

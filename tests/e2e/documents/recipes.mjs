// The configurations of docs/recipes.md: each proxy is started with its own, and passes on what the page says:
// node recipes.mjs PATH/TO/tidings. A proxy that is not here is skipped.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { checks, equal, startConfigured, until } from '../support.mjs';
import { blocksOf, only } from './page.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node recipes.mjs PATH/TO/tidings');

const { check, finish } = checks();
const NAME = 'push.example.com';
const blocks = blocksOf('recipes.md');
const folder = mkdtempSync(path.join(tmpdir(), 'tidings-recipes-'));
const file = (name) => path.join(folder, name);

/** A port that is free now. */
async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', `/CN=${NAME}`,
  '-addext', `subjectAltName=DNS:${NAME}`, '-keyout', file(`${NAME}.key`), '-out', file(`${NAME}.pem`)], { stdio: 'ignore' });
const certificate = readFileSync(file(`${NAME}.pem`));
writeFileSync(file(`${NAME}.both.pem`), certificate + readFileSync(file(`${NAME}.key`)));

const key = execFileSync(binary, ['key', 'new', 'backend'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
const toml = only(blocks, 'toml', 'trusted_proxies').replace('listen = ["127.0.0.1:8080"]\n', '').replace('/run/secrets/tidings-backend', 'FOLDER/backend');
const server = await startConfigured(binary, toml, { backend: `${key}\n` });

/** The page's configuration of a proxy, with this server, another port, and the certificates that were made. */
function configuration(language, part, port) {
  const text = only(blocks, language, part);
  const changed = text.replaceAll('127.0.0.1:8080', `127.0.0.1:${server.port}`).replaceAll('/etc/ssl/', `${folder}/`).replace(':443', `127.0.0.1:${port}`).replace('listen 443', `listen 127.0.0.1:${port}`);
  equal(changed.includes(`127.0.0.1:${port}`), true, 'the port');
  return changed;
}

const PROXIES = [
  { name: 'nginx', language: 'nginx', part: 'listen 443 ssl', command: (config) => ['nginx', '-e', 'stderr', '-p', folder, '-c', config, '-g', `daemon off; pid ${file('nginx.pid')};`] },
  { name: 'HAProxy', language: 'haproxy', part: 'bind :443', command: (config) => ['haproxy', '-f', config] },
];

for (const { name, language, part, command } of PROXIES) {
  await check(`the recipe for ${name} passes on requests, event streams and sockets over TLS, and who the client is`, async () => {
    const port = await freePort();
    writeFileSync(file(`${language}.conf`), configuration(language, part, port));
    const [program, ...more] = command(file(`${language}.conf`));
    if (spawnSync(program, ['-v'], { stdio: 'ignore' }).status !== 0) return 'skip';
    const proxy = spawn(program, more, { stdio: ['ignore', 'inherit', 'inherit'] });
    const url = `https://${NAME}:${port}`;
    const curl = (...given) => ['--silent', '--show-error', '--noproxy', '*', '--interface', '127.0.0.9', '--cacert', file(`${NAME}.pem`), '--resolve', `${NAME}:${port}:127.0.0.1`, ...given];
    try {
      await until(() => spawnSync('curl', curl('--fail', `${url}/livez`)).status === 0, `${name} to start`);
      writeFileSync(file('backend.secret'), `${key}\n`);
      const shown = only(blocks, 'sh', 'https://push.example.com').split('\n').find((line) => line.startsWith('curl')).replace('https://push.example.com', url);
      const publish = () => JSON.parse(execFileSync('sh', ['-ec', `curl() { command curl ${curl().map((each) => `'${each}'`).join(' ')} "$@"; }\n${shown}`], { cwd: folder, encoding: 'utf8' }));
      equal(publish().channel, 'news', 'the answer to the page’s command');
      const without = JSON.parse(execFileSync('curl', curl('-d', '1', `${url}/channels/news`), { encoding: 'utf8' }));
      equal(without.error.code, 'token_needed', 'what is said without the key');

      const stream = spawn('curl', curl('-N', '-H', 'Accept: text/event-stream', `${url}/channels/news`), { stdio: ['ignore', 'pipe', 'inherit'] });
      let heard = '';
      stream.stdout.on('data', (bytes) => { heard += bytes; });
      await until(() => heard.includes('event: position'), 'the beginning of the stream');
      const lookup = (_, options, found) => (options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4));
      const socket = new WebSocket(`wss://${NAME}:${port}/channels/news`, { ca: certificate, lookup });
      const frames = [];
      socket.on('message', (data) => frames.push(String(data)));
      await until(() => frames.length === 1, 'the answer on the socket');
      publish();
      await until(() => heard.includes('data: "hello"') && frames.length === 2, 'the publication on both');
      equal(JSON.parse(frames[1]).data, 'hello', 'what was published');
      socket.close();
      stream.kill();
      return equal(/refused .*peer=127\.0\.0\.9\S* .*proxy=127\.0\.0\.1/.test(server.log()), true, `the client and its proxy in the log: ${server.log()}`);
    } finally {
      proxy.kill();
    }
  });
}

rmSync(folder, { recursive: true, force: true });
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();

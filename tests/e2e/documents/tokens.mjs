// The examples of docs/tokens.md: each is run as it stands there, and a server that is configured as it stands there accepts what
// it makes: node tokens.mjs PATH/TO/tidings
// PYTHON names a Python that has PyJWT. What cannot be run here is skipped.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { clientText } from '../client/support.mjs';
import { checks, equal, startConfigured } from '../support.mjs';
import { blocksOf, only as onlyOf } from './page.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node tokens.mjs PATH/TO/tidings');

const { check, finish } = checks();
const { Tidings } = await import(`data:text/javascript;base64,${Buffer.from(clientText()).toString('base64')}`);
const blocks = blocksOf('tokens.md');
const only = (language, part) => onlyOf(blocks, language, part);

const OPERATOR_KEY = 'the-key-of-the-tests-0123456789';
process.env.TIDINGS_OPERATOR_KEY = OPERATOR_KEY; // for the server that is started here
const secret = randomBytes(36).toString('base64');
const folder = mkdtempSync(path.join(tmpdir(), 'tidings-documents-'));
symlinkSync(fileURLToPath(new URL('../node_modules', import.meta.url)), path.join(folder, 'node_modules'));
const environment = { ...process.env, TOKEN_SECRET: secret, OPERATOR_KEY, GOPROXY: 'off', GOFLAGS: '-mod=mod' };
const run = (command, more) => execFileSync(command, more, { cwd: folder, env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const python = process.env.PYTHON ?? 'python3';
const isThere = (command, ...more) => spawnSync(command, more, { stdio: 'ignore' }).status === 0;

/** What runs an example of a language, and whether that is here. */
const LANGUAGES = {
  js: { file: 'token.mjs', command: [process.execPath], there: () => true },
  python: { file: 'token_example.py', command: [python], there: (text) => isThere(python, '-c', text.includes('import jwt') ? 'import jwt' : '') },
  php: { file: 'token.php', command: ['php'], there: () => isThere('php', '-v') },
  go: { file: 'token.go', command: ['go', 'run'], there: () => isThere('go', 'version') },
};

await check('a key pair is made as the page says', () => run('sh', ['-ec', only('sh', 'genpkey')]));

const configured = only('toml', '[[issuer]]').replace('/run/secrets/tidings-tokens', 'FOLDER/secret');
equal(configured.includes('FOLDER'), true, 'the secret’s path in the page');
const both = configured.replace('secret_file', 'public_key_file = "FOLDER/app.pub.pem"\nsecret_file');
const server = await startConfigured(binary, both, { secret: `${secret}\n`, 'app.pub.pem': readFileSync(path.join(folder, 'app.pub.pem'), 'utf8') });

/** What a client with a token may do. */
async function allowed(token) {
  const tidings = new Tidings(server.socketUrl, { WebSocket, token });
  tidings.on('error', () => {});
  const outcome = (promise) => promise.then(({ status }) => status, ({ code }) => code);
  const found = [tidings.get('chat:lobby', () => {}).ready, tidings.post('chat:lobby', 'hello'), tidings.get('chat:a:b', () => {}).ready];
  const results = await Promise.all(found.map(outcome));
  tidings.close();
  return results;
}

const examples = blocks.filter(({ text }) => text.includes('TOKEN_SECRET') || text.includes("readFileSync('app.pem')"));
await check('the page has an example for each of the ways', () => {
  equal(examples.map(({ language }) => language), ['js', 'js', 'python', 'python', 'php', 'go', 'js'], 'languages');
});
let last = '';
for (const [index, { language, text }] of examples.entries()) {
  const using = ['jose', 'jwt', 'app.pem'].find((word) => text.includes(`'${word}'`) || text.includes(`import ${word}\n`)) ?? 'nothing else';
  await check(`example ${index + 1}, ${language} with ${using}, makes a token that opens what it says and nothing else`, async () => {
    const { file, command, there } = LANGUAGES[language];
    if (!there(text)) return 'skip';
    writeFileSync(path.join(folder, file), text);
    const token = run(command[0], [...command.slice(1), file]).trim();
    last = token;
    equal(/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token), true, 'a token');
    return equal(await allowed(token), [200, 200, 'forbidden'], 'what it allows');
  });
}
await check('without a token nothing is allowed', async () => equal(await allowed(null), ['token_needed', 'token_needed', 'token_needed'], 'what nobody may'));

await check('what the page says takes the user’s tokens back', async () => {
  const answer = JSON.parse(run('sh', ['-ec', only('sh', '/admin/revoke').replace('http://127.0.0.1:8080', server.url)]));
  equal(answer.user, 'ann', JSON.stringify(answer));
  equal(await allowed(last), ['token_revoked', 'token_revoked', 'token_revoked'], 'what they allow');
});

rmSync(folder, { recursive: true, force: true });
await check('the server drains and exits with 0', async () => equal((await server.end()).code, 0, 'exit code'));
finish();

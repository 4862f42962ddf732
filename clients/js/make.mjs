// Puts the client together, from its parts in src/ and as the server's build does:  node make.mjs  writes tidings.js here,
// which npm does before it packs.

import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const read = (name) => readFileSync(new URL(`src/${name}`, import.meta.url), 'utf8');

/** The text of one of the files that src/files.txt lists. */
export function textOf(name) {
  const line = read('files.txt').split('\n').find((each) => each.startsWith(`${name}: `));
  if (!line) throw new Error(`src/files.txt does not say how ${name} is put together`);
  return line.slice(name.length + 2).split(' ').map(read).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(new URL('tidings.js', import.meta.url), textOf('tidings.js'));

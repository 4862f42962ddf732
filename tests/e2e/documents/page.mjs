// A page of docs/ as the scripts read it: its blocks of code, and programs made of them.

import { readFileSync } from 'node:fs';

/** The blocks of a page under docs/, each with its language. */
export function blocksOf(page) {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```([\w,]+)\n([\s\S]*?)^```$/gm)].map(([, language, block]) => ({ language, text: block }));
}

/** The one block of a language that has this part. */
export function only(blocks, language, part) {
  const found = blocks.filter((block) => block.language === language && block.text.includes(part));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} with ${part}`);
  return found[0].text;
}

/** The programs of a page, by the names that their first lines give them. */
export function programsOf(page) {
  const named = blocksOf(page).map(({ text }) => [/^(?:<\?php\n)?(?:\/\/|#) (\S+\.\w+)$/m.exec(text)?.[1], text]);
  return new Map(named.filter(([name]) => name));
}

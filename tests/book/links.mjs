// Checks every link of a built book: the file is there, and the place in it, too:  node links.mjs FOLDER

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(process.argv[2]);
const pages = readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.html')).map((name) => path.join(root, name));
const texts = new Map(pages.map((page) => [page, readFileSync(page, 'utf8')]));
const places = new Map([...texts].map(([page, text]) => [page, new Set([...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id))]));

/** What is wrong with a link of a page, if something is. */
function fault(page, link) {
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) return undefined;
  const [address, place] = link.replaceAll('&amp;', '&').split('#');
  let file = address === '' ? page : path.resolve(path.dirname(page), decodeURIComponent(address.split('?')[0]));
  if (!existsSync(file)) return 'there is no such file';
  if (statSync(file).isDirectory()) file = path.join(file, 'index.html');
  if (!existsSync(file)) return 'there is no page in this folder';
  if (place && texts.has(file) && !places.get(file).has(decodeURIComponent(place))) return 'there is no such place on the page';
  return undefined;
}

let links = 0;
const faults = [];
for (const [page, text] of texts) {
  // The page that a web server shows instead of a missing one has addresses from the root of the site.
  if (path.basename(page) === '404.html') continue;
  for (const [, link] of text.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)) {
    links += 1;
    const found = fault(page, link);
    if (found) faults.push(`${path.relative(root, page)}: ${link}: ${found}`);
  }
}
for (const line of new Set(faults)) console.log(line);
if (links < 100) faults.push('the links were not found');
console.log(`${links} links of ${pages.length} pages, ${faults.length} broken`);
process.exit(faults.length === 0 ? 0 : 1);

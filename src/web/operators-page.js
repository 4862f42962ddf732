// What pages for operators have in common: they are read again every five seconds while they are looked at, and without the
// operators' key there is a box for it.

import { el } from './kit.js';
import { operatorCard } from './sign-in.js';

const EVERY = 5000;
const CHANGES = '.hint, dd'; // what of a row may change while it is the same

/** A panel with a title and a page below it: `build(onChange)` makes that, with its element and `read()`, which answers what there is to say. */
export function mountForOperators(root, tidings, title, build) {
  const verdict = el('p', { class: 'hint', role: 'status' }, 'Reading…');
  const say = (text) => {
    if (verdict.textContent !== text) verdict.textContent = text; // else it would be read aloud with each reading
  };
  const page = build(() => read());
  const locked = operatorCard(tidings, () => read());
  locked.element.hidden = true;
  root.append(el('div', { class: 'row bar' }, el('h2', {}, title), verdict), page.element, locked.element);
  let busy = false;
  let again = false; // something changed while the list was being read
  const read = async () => {
    if (root.hidden || document.hidden) return;
    again = busy;
    if (busy) return;
    busy = true;
    try {
      say(await page.read());
      page.element.hidden = false;
      locked.element.hidden = true;
    } catch (error) {
      const isLocked = error.status === 401 || error.status === 403;
      say(isLocked ? '' : error.message);
      if (isLocked) locked.tell(error);
      page.element.hidden = isLocked;
      locked.element.hidden = !isLocked;
    }
    busy = false;
    if (again) read();
  };
  read();
  setInterval(read, EVERY);
  document.addEventListener('visibilitychange', read);
}

/** Shows rows in a list. Those that stay are changed and not moved, so that a button keeps its focus and what it has asked. */
export function showRows(list, rows, nameOf, build) {
  const names = new Set(rows.map(nameOf));
  for (const item of [...list.children]) if (!names.has(item.dataset.name)) item.remove();
  const before = new Map([...list.children].map((item) => [item.dataset.name, item]));
  rows.forEach((row, place) => {
    const name = nameOf(row);
    const built = build(row);
    built.dataset.name = name;
    const item = before.get(name) ?? built;
    const fresh = built.querySelectorAll(CHANGES);
    if (item !== built) item.querySelectorAll(CHANGES).forEach((part, at) => { part.textContent = fresh[at].textContent; });
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
}

// The box for a token or a key: it opens where the server refused something that one would allow, and says which rule refused it.

import { el, field } from './kit.js';
import { hasKey, presented, useKey } from './operator.js';

const LINES = 4; // refusals in the box at once

/** Refusals of a client that presented something: another token or key may do. */
const NOT_ENOUGH = new Set(['forbidden', 'admin_only', 'key_network', 'publishing_not_allowed']);

/** Refusals for which another channel may be open. */
const ABOUT_A_CHANNEL = new Set(['token_needed', 'forbidden']);

let lost = false; // whether a subscription was refused, which does not come back by itself
let tell = () => {}; // opens the box

/** The button at the foot of the page, whichever box was used. */
function showAccount() {
  document.getElementById('account').textContent = hasKey() ? 'Sign out' : 'Sign in';
}

/**
 * Opens the box if a token or a key would allow what was refused; whether it would. What is no subscription can be tried again
 * without loading the page anew.
 */
export function refused({ channel, error }, isSubscription = false) {
  if (!wouldHelp(error)) return false;
  lost ||= isSubscription;
  tell(ABOUT_A_CHANNEL.has(error.code) ? channel : undefined, error.message);
  return true;
}

/** Whether a token or a key, or another one, would allow what was refused. */
export function wouldHelp({ status, code }) {
  return status === 401 || (hasKey() && NOT_ENOUGH.has(code));
}

/** Presents a token or a key, or nothing any more. What the server does not accept is forgotten, and its words are the error. */
export async function signIn(tidings, text) {
  const before = presented() ?? '';
  const kept = useKey(text);
  try {
    if (text || !kept) await tidings.signIn();
  } catch (error) {
    useKey(before);
    throw error;
  } finally {
    showAccount();
  }
  if (!kept || (text && !lost)) return;
  history.scrollRestoration = 'manual'; // the box may open again, at the top
  location.reload();
}

/** A field for a token or a key; `done()` follows when it was accepted, `failed(error)` when it was not. */
function keyForm(tidings, { label, done, failed }) {
  const key = el('input', { name: 'key', type: 'password', required: true, autocomplete: 'off', spellcheck: false });
  const button = el('button', { class: 'primary' }, 'Sign in');
  return el('form', { class: 'row', onsubmit: async (event) => {
    event.preventDefault();
    const text = key.value.trim();
    key.value = '';
    button.disabled = true;
    await signIn(tidings, text).then(done, failed);
    button.disabled = false;
  } }, field(label, key), button);
}

/** What a page for operators shows without their key: why, and a box for it. `onKey` is called when the key that was given opens the page. */
export function operatorCard(tidings, onKey) {
  const why = el('p', { class: 'hint', role: 'status' });
  let refusal = null;
  const tell = (error) => {
    const isWrong = hasKey() || refusal !== null;
    why.textContent = isWrong ? `The key was refused: ${(refusal ?? error).message}` : error.message;
    why.classList.toggle('bad', isWrong);
  };
  const form = keyForm(tidings, {
    label: 'Operator key',
    done: () => {
      refusal = null;
      onKey();
    },
    failed: (error) => {
      refusal = error;
      tell(error);
    },
  });
  const element = el('section', { class: 'card' }, el('h2', {}, 'For operators'), form, why,
    el('p', { class: 'hint' }, 'The server prints an address with the key when it starts in a terminal. This tab keeps it until it is closed.'));
  return { element, tell };
}

/** The box at the top of the page, and the button at its foot. */
export function mountSignIn(tidings) {
  const refusals = new Map(); // the server's words → the channels that they are about
  const dismissed = new Set();
  const lines = el('ul', { class: 'refusals' });
  const title = el('h2');
  const verdict = el('p', { class: 'hint bad', role: 'status' });
  const account = document.getElementById('account');
  const close = () => {
    for (const words of refusals.keys()) dismissed.add(words);
    refusals.clear();
    verdict.textContent = '';
    box.hidden = true;
  };
  const fail = (error) => {
    verdict.textContent = error.message;
    open();
  };
  const leave = () => signIn(tidings, '').then(close, fail);
  const out = el('button', { type: 'button', onclick: leave }, 'Sign out');
  const box = el('section', { class: 'card sign-in', 'aria-label': 'Sign in', hidden: true }, title, lines,
    keyForm(tidings, { label: 'Token or key', done: close, failed: fail }), verdict,
    el('div', { class: 'row end' }, el('p', { class: 'hint' }, 'A user’s token, a backend’s key or the operators’ key. This tab keeps it until it is closed.'),
      el('div', { class: 'row' }, out, el('button', { type: 'button', onclick: close }, 'Not now'))));
  document.getElementById('main').prepend(box);

  const open = () => {
    title.textContent = refusals.size && hasKey() ? 'Sign in with something else' : 'Sign in';
    out.hidden = !hasKey();
    const shown = [...refusals].slice(0, LINES);
    const more = refusals.size - shown.length;
    lines.replaceChildren(...shown.map(([words, channels]) => el('li', {}, channels.size ? el('b', {}, [...channels].join(', ')) : null, el('span', {}, words))),
      ...(more > 0 ? [el('li', {}, `and ${more} more`)] : []));
    if (!box.hidden) return;
    box.hidden = false;
    scrollTo(0, 0);
  };
  showAccount();
  account.addEventListener('click', () => {
    if (hasKey()) return leave();
    open();
    return box.querySelector('input').focus();
  });

  tell = (channel, words) => {
    if (dismissed.has(words)) return;
    if (!refusals.has(words)) refusals.set(words, new Set());
    if (channel !== undefined) refusals.get(words).add(channel);
    open();
  };
}

// The console's frame: one connection for the whole page, the status and counts on top, and a panel for each tab.

import Tidings from './tidings.js';
import { bytes, el, icon, number, toast } from './kit.js';
import { presented, takeKey } from './operator.js';
import { mountSignIn, refused, signIn } from './sign-in.js';
import * as frames from './demo-console.js';
import * as chat from './demo-chat.js';
import * as prices from './demo-prices.js';
import * as form from './demo-form.js';
import * as upload from './demo-upload.js';
import * as game from './demo-game.js';
import * as remote from './demo-remote.js';
import * as monitor from './demo-monitor.js';
import * as clients from './clients.js';
import * as cluster from './cluster.js';

const PANELS = [
  ['console', 'Console', frames],
  ['chat', 'Chat', chat],
  ['prices', 'Prices', prices],
  ['form', 'Form', form],
  ['upload', 'Upload', upload],
  ['game', 'Game', game],
  ['remote', 'Remote', remote],
  ['monitor', 'Monitor', monitor],
  ['clients', 'Clients', clients],
  ['cluster', 'Cluster', cluster],
];

const SETTLED = 400; // a server that restarted answers all subscriptions within this time, in milliseconds

/** The page's client: a publication that was refused for want of a token or a key opens the box for one, like a subscription. */
class Client extends Tidings {
  async publish(channel, data, options) {
    try {
      return await super.publish(channel, data, options);
    } catch (error) {
      refused({ channel, error });
      throw error;
    }
  }
}

takeKey();
const tidings = new Client('/ws', { token: presented });
mountSignIn(tidings);
const shown = new Map();
let current = '';

/** The pill: the state, when the next attempt is, and a button that makes it now. */
function watchConnection() {
  const words = { open: 'connected', waiting: 'reconnecting', refused: 'refused' };
  const find = (id) => document.getElementById(id);
  let next = 0; // the time of the next attempt, as performance.now() counts
  let ticking = 0;
  const count = () => {
    const seconds = Math.ceil((next - performance.now()) / 1000);
    find('countdown').textContent = next && seconds > 0 ? `in ${seconds} s` : '';
  };
  const show = (state) => {
    const waits = state === 'waiting' || state === 'refused';
    find('status').dataset.state = state;
    find('state').textContent = words[state] ?? state;
    find('retry').hidden = !waits;
    clearInterval(ticking);
    if (waits) ticking = setInterval(count, 250);
    else next = 0;
    count();
  };
  find('retry').addEventListener('click', () => tidings.retry());
  tidings.on('state', ({ state }) => show(state));
  tidings.on('close', ({ reason }) => { find('status').title = reason; });
  tidings.on('waiting', ({ at }) => {
    next = at;
    count();
  });
  show(tidings.state);
}

/** A server that lost its memory says so for each channel: one notice for all of them. */
function tellOfGaps() {
  const channels = new Set();
  let timer = 0;
  tidings.on('gap', ({ channel }) => {
    channels.add(channel);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const [first] = channels;
      const which = channels.size === 1 ? first : `${channels.size} channels`;
      toast(`Some publications of ${which} could not be recovered. The server may have been restarted.`);
      channels.clear();
    }, SETTLED);
  });
}

function countFrames() {
  const count = { in: 0, out: 0, bytes: 0 };
  let before = 0;
  const set = (id, text) => { document.getElementById(id).textContent = text; };
  tidings.on('frame', ({ dir, size }) => {
    count[dir]++;
    count.bytes += size;
  });
  setInterval(() => {
    const total = count.in + count.out;
    set('count-in', number(count.in));
    set('count-out', number(count.out));
    set('count-bytes', bytes(count.bytes));
    set('count-rate', `${number(total - before)}/s`);
    before = total;
  }, 1000);
}

function buildTabs() {
  const tabs = document.getElementById('tabs');
  for (const [name, title] of PANELS) tabs.append(el('a', { href: `./#${name}`, id: `tab-${name}` }, icon(name), el('span', {}, title)));
  tabs.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const links = [...tabs.children];
    links[(links.indexOf(document.activeElement) + step + links.length) % links.length].focus();
  });
}

/** A panel is built when it is first looked at, and then stays alive in the background. */
function show() {
  const name = location.hash.slice(1).split('/')[0];
  const [id, title, module] = PANELS.find(([each]) => each === name) ?? PANELS[0];
  if (name === 'main' || id === current) return;
  current = id;
  if (!shown.has(id)) {
    const panel = el('section', { class: `panel panel-${id}`, id: `panel-${id}`, 'aria-label': title });
    document.getElementById('main').append(panel);
    shown.set(id, panel);
    module.mount(panel, tidings);
  }
  for (const [each, panel] of shown) panel.hidden = each !== id;
  for (const [each] of PANELS) {
    const tab = document.getElementById(`tab-${each}`);
    if (each === id) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  centreTab();
  document.title = `${title} · Tidings`;
  scrollTo(0, 0);
}

/** On a phone the tabs scroll sideways: the current one stays in the middle. */
function centreTab() {
  const tabs = document.getElementById('tabs');
  const tab = document.getElementById(`tab-${current}`);
  tabs.scrollLeft = tab.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
}

watchConnection();
tellOfGaps();
tidings.on('error', (detail) => {
  const { channel, error } = detail;
  if (!refused(detail, true)) toast(channel === undefined ? error.message : `${channel}: ${error.message}`);
});
countFrames();
buildTabs();
show();
// The console's log listens from the start, so that it has seen everything when it is opened.
if (!shown.has('console')) frames.listen(tidings);
addEventListener('hashchange', () => {
  if (takeKey()) signIn(tidings, presented() ?? '').catch((error) => toast(error.message));
  else show();
});
addEventListener('resize', centreTab);
document.getElementById('address').textContent = tidings.url;
document.documentElement.dataset.ready = 'yes';

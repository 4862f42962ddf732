// The cluster, for operators: its nodes, what each says of itself, and the link of this one to the Redis that they share.

import { age, el, number } from './kit.js';
import { ask } from './operator.js';
import { mountForOperators, showRows } from './operators-page.js';

const NO_CLUSTER = 501; // the status where the engine has none
const STATES = {
  up: { pill: 'open', word: 'connected', nodes: 'No node has said yet that it is there.' },
  away: { pill: 'waiting', word: 'away', nodes: 'While Redis is away nothing is known of the nodes.' },
};

export function mount(root, tidings) {
  mountForOperators(root, tidings, 'The nodes of the cluster', () => clusterPage(tidings));
}

function clusterPage(tidings) {
  const link = linkCard();
  const list = el('ul', { class: 'clients' });
  const nobody = el('p', { class: 'empty' });
  const nodes = el('section', { class: 'card', 'aria-label': 'Nodes' }, el('h2', {}, 'Nodes'), list, nobody);
  const alone = aloneCard();
  const element = el('div', { class: 'stack', hidden: true }, link.element, nodes, alone);
  const show = (hasNone) => {
    for (const each of [link.element, nodes]) each.hidden = hasNone;
    alone.hidden = !hasNone;
  };
  let isAlone = false; // until it is started anew, so that it is not asked and does not refuse every five seconds
  tidings.on('state', ({ state }) => { isAlone &&= state !== 'open'; });
  return {
    element,
    async read() {
      if (isAlone) return '';
      const cluster = await readCluster();
      isAlone = cluster === null;
      show(isAlone);
      if (isAlone) return '';
      link.show(cluster);
      showRows(list, cluster.nodes, ({ node }) => node, (row) => nodeRow(row, row.node === cluster.node));
      nobody.hidden = cluster.nodes.length > 0;
      nobody.textContent = stateOf(cluster).nodes;
      const { length } = cluster.nodes;
      return length === 0 ? 'Read every five seconds' : `${length} node${length === 1 ? '' : 's'}, read every five seconds`;
    },
  };
}

/** What this server knows of its cluster; null if it stands alone. */
async function readCluster() {
  try {
    return await (await ask('/cluster')).json();
  } catch (error) {
    if (error.status === NO_CLUSTER) return null;
    throw error;
  }
}

function stateOf(cluster) {
  return cluster.up ? STATES.up : STATES.away;
}

/** The link of this node to Redis. */
function linkCard() {
  const word = el('span', { role: 'status' });
  const pill = el('span', { class: 'pill' }, el('i'), word);
  const away = el('p', { class: 'hint' }, 'It is tried again by itself. Until then publications are refused, and channels that this server holds are still read.');
  const facts = Object.fromEntries(['Server', 'Since', 'Generation of the data', 'Channels that this node reads'].map((name) => [name, el('dd')]));
  const element = el('section', { class: 'card', 'aria-label': 'Redis' }, el('div', { class: 'row bar' }, el('h2', {}, 'Redis'), pill),
    el('dl', { class: 'facts' }, ...Object.entries(facts).map(([name, value]) => el('div', {}, el('dt', {}, name), value))), away);
  return {
    element,
    show(cluster) {
      const { pill: state, word: text } = stateOf(cluster);
      pill.dataset.state = state;
      if (word.textContent !== text) word.textContent = text; // else it would be read aloud with each reading
      away.hidden = cluster.up;
      const since = `${moment(cluster.since_ms)} (${age(Date.now() - cluster.since_ms)})`;
      const values = [cluster.server || 'not known', since, cluster.up ? cluster.generation : 'not known', number(cluster.feeds)];
      Object.values(facts).forEach((value, place) => { value.textContent = values[place]; });
    },
  };
}

function nodeRow(row, isOwn) {
  const figure = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, number(value)));
  return el('li', isOwn ? { 'aria-current': 'true' } : {},
    el('div', {}, el('b', {}, row.address), isOwn ? el('small', {}, 'this node') : null,
      el('p', { class: 'hint' }, `version ${row.version} · up for ${age(Date.now() - row.started_ms)}`), el('code', {}, row.node)),
    el('dl', { class: 'facts' }, figure('Connections', row.connections), figure('Channels', row.channels),
      el('div', {}, el('dt', {}, 'Redis answers in'), el('dd', {}, `${(row.round_trip_us / 1000).toFixed(1)} ms`))));
}

function aloneCard() {
  return el('section', { class: 'card', hidden: true }, el('h2', {}, 'This server stands alone'),
    el('p', {}, 'It shares its channels with no other server. Several share them as one cluster where each has ', el('code', {}, 'server.engine = "redis"'),
      ' and the same Redis in ', el('code', {}, 'redis.url'), '.'),
    el('p', { class: 'hint' }, 'The page “Several nodes” of the documentation (', el('code', {}, 'docs/cluster.md'), ') says how.'));
}

function moment(milliseconds) {
  return new Date(milliseconds).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

// A page with the React hook and the Vue composable, as each bundler bundles it; js.mjs drives it.

import { createElement, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createApp, defineComponent, h, ref } from 'vue';
import { Tidings } from 'tidings';
import { useChannel as useInReact } from './use-channel.react.ts';
import { useChannel as useInVue } from './use-channel.vue.ts';

const asked = new URLSearchParams(location.search);
const begin = asked.get('begin') ?? '';
const tidings = new Tidings(asked.get('server') ?? '');
const left: string[] = [];
tidings.on('frame', ({ dir, data }) => { if (dir === 'out' && String(data).includes('/subscriptions/')) left.push(String(data)); });

let switchReact = (_: string): void => {};
function ReactList() {
  const [name, setName] = useState(`${begin}react.a`);
  switchReact = setName;
  const { publications, error } = useInReact<string>(tidings, name, { last: 2 });
  return createElement('p', { id: 'react' }, error ? error.code : publications.map(({ data }) => data).join());
}
const root = createRoot(document.body.appendChild(document.createElement('div')));
root.render(createElement(ReactList));

const name = ref(`${begin}vue.a`);
const app = createApp(defineComponent(() => {
  const { publications, error } = useInVue<string>(tidings, name, { last: 2 });
  return () => h('p', { id: 'vue' }, error.value ? error.value.code : publications.value.map(({ data }) => data).join());
}));
app.mount(document.body.appendChild(document.createElement('div')));

Object.assign(globalThis, {
  left,
  publish: (channel: string, data: string) => tidings.publish(channel, data).then(({ offset }) => offset),
  change(react: string, vue: string) {
    switchReact(react);
    name.value = vue;
  },
  leave() {
    root.unmount();
    app.unmount();
  },
});

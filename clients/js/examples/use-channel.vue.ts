// A Vue composable: what a channel's newest publications are, kept up to date while the component is there.
//
//   const tidings = new Tidings('wss://push.example.com/ws');      // one for the whole app
//   const { publications, error } = useChannel<Price>(tidings, () => props.symbol, { last: 10 });

import { onScopeDispose, shallowRef, toValue, watch } from 'vue';
import type { MaybeRefOrGetter, ShallowRef } from 'vue';
import type { Publication, Subscription, Tidings, TidingsError } from 'tidings';

export interface Channel<T> {
  /** The newest, oldest first; at most as many as `last`. */
  publications: Readonly<ShallowRef<readonly Publication<T>[]>>;
  /** Why the server refuses it, until it is let in. */
  error: Readonly<ShallowRef<TidingsError | null>>;
}

export function useChannel<T>(tidings: Tidings, name: MaybeRefOrGetter<string>, { last = 1 }: { last?: number } = {}): Channel<T> {
  const publications = shallowRef<readonly Publication<T>[]>([]);
  const error = shallowRef<TidingsError | null>(null);
  let subscription: Subscription<T> | undefined;
  watch(() => toValue(name), (channel) => {
    subscription?.close();
    publications.value = [];
    error.value = null;
    subscription = tidings.subscribe<T>(channel, (_, publication) => {
      publications.value = [...publications.value, publication].slice(-last);
      error.value = null;
    }, { last, onError: (refused) => { error.value = refused; } });
  }, { immediate: true });
  onScopeDispose(() => subscription?.close());
  return { publications, error };
}

// A React hook: what a channel's newest publications are, kept up to date while the component is there.
//
//   const tidings = new Tidings('wss://push.example.com/ws');      // one for the whole app
//   const { publications, error } = useChannel<Price>(tidings, 'prices', { last: 10 });

import { useEffect, useState } from 'react';
import type { Publication, Tidings, TidingsError } from 'tidings';

export interface Channel<T> {
  /** The newest, oldest first; at most as many as `last`. */
  publications: readonly Publication<T>[];
  /** Why the server refuses it, until it is let in. */
  error: TidingsError | null;
}

export function useChannel<T>(tidings: Tidings, name: string, { last = 1 }: { last?: number } = {}): Channel<T> {
  const [channel, setChannel] = useState<Channel<T>>({ publications: [], error: null });
  useEffect(() => {
    setChannel({ publications: [], error: null });
    const subscription = tidings.subscribe<T>(name, (_, publication) => {
      setChannel(({ publications }) => ({ publications: [...publications, publication].slice(-last), error: null }));
    }, { last, onError: (error) => setChannel(({ publications }) => ({ publications, error })) });
    return () => subscription.close();
  }, [tidings, name, last]);
  return channel;
}

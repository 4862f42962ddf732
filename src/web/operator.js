// What this tab presents to the server: an operator's key, a user's token or a backend's key. It is taken out of the address
// (#operator=KEY) or typed in, kept for this tab alone, and sent with every request and on the socket.

const NAME = 'tidings.operator';
let key = stored();

function stored() {
  try { return sessionStorage.getItem(NAME) ?? ''; } catch { return ''; }
}

/** Moves a key from the address into this tab's memory, so that it is in no bookmark, history or screenshot. */
export function takeKey() {
  const match = /^#operator=(.*)$/.exec(location.hash);
  if (!match) return false;
  history.replaceState(null, '', location.pathname + location.search);
  useKey(decoded(match[1]));
  return true;
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** Remembers a key or a token as long as this tab lives; an empty one forgets it. False if only this page can keep it. */
export function useKey(text) {
  key = text.trim();
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
    return true;
  } catch {
    return false;
  }
}

export function hasKey() {
  return key !== '';
}

/** The key or token, for the socket; null for none. */
export function presented() {
  return key || null;
}

/** Asks the server with what this tab presents; the answer, or an error with the server's own words, its `status` and `code`. */
export async function ask(path, options = {}) {
  const headers = key ? { ...options.headers, Authorization: `Bearer ${key}` } : options.headers;
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(error?.message ?? `${path} answered ${response.status}`), { status: response.status, code: error?.code });
}

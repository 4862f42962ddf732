// The operator's key: taken out of the address (#operator=KEY), kept for this tab alone, and sent where the server asks for it.

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

/** Remembers a key as long as this tab lives; an empty one forgets it. */
export function useKey(text) {
  key = text.trim();
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch { /* without storage it lives as long as the page */ }
}

export function hasKey() {
  return key !== '';
}

/** Asks the server as its operator; the answer, or an error with the server's own words and its `status`. */
export async function ask(path, options = {}) {
  const headers = key ? { ...options.headers, Authorization: `Bearer ${key}` } : options.headers;
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw Object.assign(new Error(answer.error?.message ?? `${path} answered ${response.status}`), { status: response.status });
}

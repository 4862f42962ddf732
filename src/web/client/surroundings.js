// What the client needs of its surroundings, and what it does where that is missing.

/** Milliseconds that only grow. The date of a computer may be set back by an hour; a wait must not become an hour longer. */
const now = (() => {
  let last = Date.now();
  let back = 0;
  return () => {
    if (globalThis.performance?.now) return performance.now();
    const date = Date.now();
    if (date < last) back += last - date;
    last = date;
    return date + back;
  };
})();

/** Hears of the network and the page where these tell; returns a function that ends it. */
function listen(handlers) {
  if (!globalThis.addEventListener) return () => {};
  for (const [name, fn] of Object.entries(handlers)) globalThis.addEventListener(name, fn);
  return () => Object.entries(handlers).forEach(([name, fn]) => globalThis.removeEventListener(name, fn));
}

Object.assign(globalThis, { Tidings, TidingsError });
})();

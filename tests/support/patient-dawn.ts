/**
 * Dawn looks for news of the GPU in every turn of Node's loop, as long as it waits for any. On a driver in software that takes a
 * third of the processor from the compilation of shaders that it waits for. Here it looks at once a few times, and then each
 * millisecond. Loaded by mocha before the tests; programs that tests start are left as users have them.
 */
const AT_ONCE = 32;

/** Dawn's own functions, which have no source. */
const isDawns = (callback: unknown): callback is () => void =>
  typeof callback === "function" &&
  /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback));

let looks = 0;
let isLooking = false;

globalThis.setImmediate = new Proxy(globalThis.setImmediate, {
  apply(soon: typeof setImmediate, _, [callback, ...args]: [(...args: unknown[]) => void, ...unknown[]]) {
    if (!isDawns(callback)) return soon(callback, ...args);
    // It asks again while it looks, if it still waits.
    looks = isLooking ? looks + 1 : 0;
    const look = (): void => {
      isLooking = true;
      try {
        callback();
      } finally {
        isLooking = false;
      }
    };
    return looks < AT_ONCE ? soon(look) : setTimeout(look, 1);
  },
});

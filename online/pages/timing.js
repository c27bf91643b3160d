// Things done while somebody looks.

/** Waits until the page is not hidden. */
export async function whenShown() {
  while (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}

/** Calls `then` when the page is hidden; gives what ends that. */
export function onHidden(/** @type {() => unknown} */ then) {
  const look = () => document.hidden && then();
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}

/** Call `what` now and `ms` after each end of it; not while the page is hidden. */
export async function every(/** @type {number} */ ms, /** @type {() => unknown} */ what) {
  for (;;) {
    await whenShown();
    await what();
    await new Promise((done) => setTimeout(done, ms));
  }
}

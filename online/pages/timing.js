// Things done again and again, while somebody looks.

/** Call `what` now and `ms` after each end of it; not while the page is hidden. */
export async function every(/** @type {number} */ ms, /** @type {() => unknown} */ what) {
  for (;;) {
    if (!document.hidden) await what();
    else await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    await new Promise((done) => setTimeout(done, ms));
  }
}

// What a page's address asks for, after its "?": changed by the page, and by Back and Forward.

let asked = location.search;

/** Puts these parameters into the address, as a step that Back takes back; one without a value leaves it. */
export function writeAddress(/** @type {Record<string, string>} */ parameters) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.pushState(null, "", address);
  asked = location.search;
}

/** Calls `then` where Back or Forward asks for something else; a link within the page does not. */
export function onReturn(/** @type {() => unknown} */ then) {
  addEventListener("popstate", () => {
    if (location.search === asked) return;
    asked = location.search;
    then();
  });
}

// Images of items: shown where their host is one of `image_hosts` in access.json, which the content security policy follows.

import { el } from "./dom.js";
import { schema } from "./schema.js";

const allowed = (/** @type {string} */ host) => schema.image_hosts.some((each) => (each.startsWith("*.") ? host.endsWith(each.slice(1)) : host === each));

/**
 * The item's image for a face, or null. One that does not load goes, and the drawn poster is seen.
 * @param {{image_url?: string}} item
 */
export function imageOf({ image_url: url }) {
  if (!url || !URL.canParse(url) || !allowed(new URL(url).host)) return null;
  return el("img.photo", { src: url, alt: "", loading: "lazy", referrerpolicy: "no-referrer", onerror: (/** @type {Event} */ failed) => /** @type {Element} */ (failed.target).remove() });
}

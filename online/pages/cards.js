// An item as a poster, in rows and grids.

import { el } from "./dom.js";
import { paint } from "./posters.js";
import { labelsOf, facets, priceOf, rates, schema, valuesOf, yearOf } from "./schema.js";
import { number, shownTitle } from "./format.js";

export const moviePage = (itemId, more = {}) => `/movie.html?${new URLSearchParams({ movieId: itemId, ...more })}`;

/** The same out of a list, at a place of it. What is done there is done by the user whose list it is, whoever another tab plays by then. */
export const pageFrom = ({ request_id: list, user_id: user }, itemId, at) => moviePage(itemId, { list, at, user });

// Of genres that are labels the address says `genre`, where that is no facet of its own.
const shortened = (/** @type {string} */ facet) => (facet === "genres" && facet === schema.labels && !facets.includes("genre") ? "genre" : facet);

/** The items with that value of a facet. */
export const facetPage = (/** @type {string} */ facet, /** @type {string} */ value) => `/collection.html?${new URLSearchParams({ type: shortened(facet), value })}`;

/** "★ 4.2 · 318": the mean rating and of how many; nothing where this home has no ratings. */
export function stars({ mean_rating: mean, ratings }) {
  if (!rates) return null;
  return mean === null || mean === undefined ? el("span", {}, "not rated") : el("span", {}, el("b", {}, `★ ${number(Math.round(mean * 10) / 10)}`), ` · ${number(ratings)}`);
}

/** What an item is, in few words: a film's year, what it costs, or else a value of a facet other than the labels. */
export function brief(item) {
  if (schema.era !== null) return String(yearOf(item) ?? "year unknown");
  const price = priceOf(item);
  return price !== null ? number(price) : (facets.filter((facet) => facet !== schema.labels).flatMap((facet) => valuesOf(item, facet))[0] ?? "");
}

/** The same with its labels: "1995 · Comedy, Drama". `most`: labels. */
export const briefly = (item, most = Infinity) => [schema.era !== null && yearOf(item) === null ? "" : brief(item), labelsOf(item).slice(0, most).join(", ")].filter(Boolean).join(" · ");

/**
 * `item`: as answers have it; `note`: what stands below at the right; `more`: goes into the item's address; `genre`: the label whose
 *  items are shown here, if it is one's.
 * @param {any} item
 * @param {{note?: Node | null, more?: Record<string, any>, genre?: string | null}} how
 */
export function poster(item, { note = null, more = {}, genre = null } = {}) {
  const title = shownTitle(item.title);
  const face = el("span.face", {}, el("span.kind"), el("span.title", { title }, title));
  /** @type {HTMLElement} */ (face.querySelector(".kind")).textContent = paint(face, item, { genre }) ?? "";
  return el("li.poster", {}, el("a", { href: moviePage(item.item_id, more) }, face, el("span.under", {}, el("span", {}, brief(item)), note)));
}

export const skeletons = (count) => Array.from({ length: count }, () => el("li.poster.skeleton", { "aria-hidden": "true" }));

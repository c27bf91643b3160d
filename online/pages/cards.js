// A film as a poster, in rows and grids.

import { el } from "./dom.js";
import { paint } from "./posters.js";
import { number, shownTitle } from "./format.js";

export const moviePage = (itemId, more = {}) => `/movie.html?${new URLSearchParams({ movieId: itemId, ...more })}`;
export const genrePage = (genre) => `/collection.html?${new URLSearchParams({ type: "genre", value: genre })}`;

/**
 * `item`: {item_id, title, genres, year, …}; `note`: what stands below at the right; `more`: goes into the film's address; `genre`: whose films
 *  are shown here, if it is one genre's.
 * @param {any} item
 * @param {{note?: Node | null, more?: Record<string, any>, genre?: string | null}} how
 */
export function poster(item, { note = null, more = {}, genre = null } = {}) {
  const title = shownTitle(item.title);
  const face = el("span.face", {}, el("span.kind"), el("span.title", { title }, title));
  /** @type {HTMLElement} */ (face.querySelector(".kind")).textContent = paint(face, item.item_id, item.genres, { genre }) ?? "";
  return el("li.poster", {}, el("a", { href: moviePage(item.item_id, more) }, face, el("span.under", {}, el("span", {}, item.year ? String(item.year) : "year unknown"), note)));
}

/** "★ 4.2 · 318": the mean rating and of how many. */
export const stars = ({ mean_rating: mean, ratings }) =>
  mean === null || mean === undefined ? el("span", {}, "not rated") : el("span", {}, el("b", {}, `★ ${number(Math.round(mean * 10) / 10)}`), ` · ${number(ratings)}`);

export const skeletons = (count) => Array.from({ length: count }, () => el("li.poster.skeleton", { "aria-hidden": "true" }));

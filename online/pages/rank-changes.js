// Rank changes of a renewed list against the one before, shared by the sentence, the marks and the panel "why".

import { noun } from "./schema.js";
import { number } from "./format.js";

/** @typedef {Map<string, {was: number, at: number, gone: number}>} Moves */

/**
 * Of keys in their order before and now: key → {was, at, gone}, places from 0; was: −1 for a film that was not there. What the user has
 * `seen` since is taken out of the list before: closing up behind it is no news. `gone`: how many that were.
 * @param {string[]} before
 * @param {string[]} now
 * @param {Set<string | undefined>} seen
 * @returns {Moves}
 */
export function movesOf(before, now, seen) {
  const stayed = before.filter((key) => now.includes(key) || !seen.has(key));
  const gone = before.length - stayed.length;
  return new Map(now.map((key, at) => [key, { was: stayed.indexOf(key), at, gone }]));
}

/** Places gained (lost: negative), 0 for none, NaN for a film that was not there. */
export const gain = (/** @type {{was: number, at: number} | undefined} */ move) => (move === undefined ? 0 : move.was < 0 ? NaN : move.was - move.at);

/** "6 up, 3 down, 5 new." `moves`: as above, or null where nothing is compared. @param {Moves | null} moves */
export function movedWords(moves) {
  if (moves === null) return "";
  const gains = [...moves.values()].map(gain);
  const parts = [["up", gains.filter((each) => each > 0)], ["down", gains.filter((each) => each < 0)], ["new", gains.filter(Number.isNaN)]];
  const told = parts.filter(([, some]) => some.length).map(([name, some]) => `${number(some.length)} ${name}`);
  return told.length ? ` ${told.join(", ")}.` : ` No ${noun} moved.`;
}

/** The mark of a tile: ▲ 2, ▼ 1, new, or nothing. */
export function showMove(mark, move) {
  const change = gain(move);
  const places = Math.abs(change) === 1 ? "place" : "places";
  mark.className = `change ${Number.isNaN(change) ? "new" : change > 0 ? "up" : change < 0 ? "down" : "none"}`;
  mark.textContent = Number.isNaN(change) ? "new" : change > 0 ? `▲ ${change}` : change < 0 ? `▼ ${-change}` : "";
  mark.hidden = change === 0;
  if (change) {
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", `${change > 0 ? "up" : "down"} ${Math.abs(change)} ${places}`);
  } else {
    mark.removeAttribute("role");
    mark.removeAttribute("aria-label");
  }
}

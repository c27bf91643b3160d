// What can be done with an item: stars, thumbs, and a button for each kind of event that the home's schema adds. A kind whose weight
// goes by its value asks for it.

import { el } from "./dom.js";
import { capital, knows, ownActs, rates, spoken } from "./schema.js";
import { makeStars, makeThumbs } from "./stars.js";

/** @typedef {{type: string, rating?: number, value?: number}} Act */

const DOUBLE_MS = 500;
const WHAT = { money: "amount", quantity: "how many", seconds: "seconds" };

/** Stars, where the home knows ratings. @param {(act: Act) => unknown} onAct */
export const starsOf = (title, itemId, onAct) => (rates ? makeStars(title, itemId, (rating) => onAct({ type: "rating", rating })) : null);

/** Thumbs, of like and dislike those that the home knows. @param {(act: Act) => unknown} onAct */
export const thumbsOf = (title, onAct) => makeThumbs(title, ["like", "dislike"].filter(knows), onAct);

/** A button for each other kind. @param {(act: Act) => unknown} onAct */
export const buttonsOf = (title, onAct) => (ownActs.length ? el("div.other-acts", {}, ...ownActs.map((kind) => (kind.needs_value ? asking(kind, title, onAct) : button(kind, title, { onclick: () => onAct({ type: kind.name }) })))) : null);

/** The same behind a word, for a tile. @param {(act: Act) => unknown} onAct */
export function menuOf(title, onAct) {
  const buttons = buttonsOf(title, (act) => {
    menu.removeAttribute("open");
    onAct(act);
  });
  const menu = el("details.menu", {}, el("summary", { "aria-label": `More to do with ${title}` }, "more"), buttons);
  return buttons && menu;
}

const button = ({ name }, title, more) => el("button.quiet", { type: "button", "aria-label": `${capital(spoken(name))}: ${title}`, ...more }, capital(spoken(name)));

function asking(kind, title, onAct) {
  const value = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: 0, step: kind.value === "money" ? "0.01" : 1, value: kind.value === "quantity" ? 1 : null, required: true, "aria-label": `${capital(spoken(kind.name))}, ${WHAT[kind.value]}: ${title}`, placeholder: WHAT[kind.value] }));
  const send = (/** @type {Event} */ submit) => {
    submit.preventDefault();
    onAct({ type: kind.name, value: Number(value.value) });
  };
  return el("form", { onsubmit: send }, value, button(kind, title, { type: "submit" }));
}

/**
 * The second click of a double click within `node` means nothing: it would do again what the first one did, or do it to what has come under
 * the pointer since.
 */
export function ignoreDoubleClicks(/** @type {HTMLElement} */ node) {
  let last = { at: -Infinity, x: 0, y: 0 };
  const tooSoon = (/** @type {MouseEvent} */ click) => {
    if (click.detail === 0) return; // by a key, or by a screen reader
    const here = { at: click.timeStamp, x: click.clientX, y: click.clientY };
    const again = here.at - last.at < DOUBLE_MS && Math.hypot(here.x - last.x, here.y - last.y) < 8;
    last = here;
    if (again) {
      click.preventDefault();
      click.stopPropagation();
    }
  };
  node.addEventListener("click", tooSoon, true);
}

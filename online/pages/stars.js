// One to five stars: a group of radio buttons. A click rates at once. The arrow keys only choose, as a list that changes
// under each key press could not be used; Enter or Space then rates.

import { el, icon } from "./dom.js";

const VALUES = [1, 2, 3, 4, 5];
const THUMB = "M2 21h4V9H2v12Zm20-11a2 2 0 0 0-2-2h-6.300l.95-4.570.03-.32a1.500 1.500 0 0 0-.44-1.060L13.200 1 6.600 7.600A2 2 0 0 0 6 9v10a2 2 0 0 0 2 2h9c.8 0 1.500-.5 1.840-1.220l3.020-7.050c.09-.23.140-.47.140-.73v-2Z";

/** Like and dislike, of these `kinds`; null without one. `onAct` is called with {type: "like"} or {type: "dislike"}. */
export function makeThumbs(title, kinds, onAct) {
  const thumb = (type, label) => el(`button.thumb.${type}`, { type: "button", "aria-label": `${label} ${title}`, title: label, onclick: () => onAct({ type }) }, icon(THUMB));
  return kinds.length ? el("span.thumbs", {}, ...kinds.map((kind) => thumb(kind, kind === "like" ? "Like" : "Dislike"))) : null;
}

/** `onRate(stars)` is called once a person has decided. */
export function makeStars(title, itemId, onRate) {
  const hint = el("span.hint", { hidden: true });
  const group = el("div.stars", { role: "radiogroup", "aria-label": `Rate ${title}`, "aria-describedby": "stars-keys" });
  for (const value of VALUES) {
    const radio = el("input", { type: "radio", name: `stars-${itemId}`, value });
    group.append(el("label.star", {}, radio, el("span", { "aria-hidden": "true" }, "★"), el("span.unseen", {}, value === 1 ? "1 star" : `${value} stars`)));
  }
  group.append(hint);

  // A browser clicks a radio button for an arrow key, too: what was pressed tells the two apart.
  let choosing = false;
  const radios = [...group.querySelectorAll("input")];
  const choose = (radio) => {
    radio.checked = true;
    group.dataset.value = radio.value;
    radio.focus();
    tell();
  };
  group.addEventListener("keydown", (press) => {
    choosing = press.key.startsWith("Arrow");
    if (press.key === "Enter" || press.key === " ") {
      press.preventDefault();
      const chosen = radios.find((radio) => radio.checked);
      if (chosen) onRate(Number(chosen.value));
      else choose(press.target);
    } else if (VALUES.includes(Number(press.key))) {
      choose(radios[Number(press.key) - 1]);
    }
  });
  group.addEventListener("keyup", (press) => {
    choosing = false;
    if (press.key === " ") press.preventDefault(); // Firefox would click now
  });
  group.addEventListener("pointerdown", () => (choosing = false));
  group.addEventListener("change", (change) => {
    group.dataset.value = /** @type {HTMLInputElement} */ (change.target).value;
    if (choosing) tell();
  });
  group.addEventListener("click", (click) => {
    if (click.target instanceof HTMLInputElement && !choosing) onRate(Number(click.target.value));
  });
  group.addEventListener("focusout", (away) => (hint.hidden ||= !group.contains(/** @type {Node | null} */ (away.relatedTarget))));

  function tell() {
    hint.textContent = `Enter: rate ${radios.find((radio) => radio.checked)?.value} ★`;
    hint.hidden = false;
  }
  return group;
}

/** Fill `value` stars; 0 empties. Without stars there is nothing to fill. */
export function showStars(/** @type {HTMLElement | null} */ group, value) {
  if (!group) return;
  for (const radio of group.querySelectorAll("input")) radio.checked = Number(radio.value) === value;
  group.dataset.value = value;
  /** @type {HTMLElement} */ (group.querySelector(".hint")).hidden = true;
}

// A user's taste: a row a label (with films, a genre), with two bars, for the last day and for the last weeks. Less than nothing is a dislike.

import { el, reconcile } from "./dom.js";
import { flip } from "./flip.js";
import { hue } from "./genres.js";
import { signed } from "./format.js";

const SHOWN = innerWidth < 560 ? 5 : 8;
const NEAR_ZERO = 0.03;
const STEPS = [0.1, 0.2, 0.3, 0.5, 0.75, 1];

/** `tastes` as in GET /v1/users/{id}: genre → {hour, day, weeks}, each from −1 to 1; what says little waits behind the button `all`. */
export function showTastes(list, all, tastes) {
  const strength = ({ day, weeks }) => Math.max(Math.abs(day), Math.abs(weeks));
  const sorted = Object.entries(tastes).sort(([, a], [, b]) => strength(b) - strength(a));
  const telling = sorted.filter(([, taste], at) => at < SHOWN && strength(taste) >= NEAR_ZERO);
  const open = all.getAttribute("aria-expanded") === "true";
  const rows = open ? sorted : telling;
  all.hidden = telling.length === sorted.length;
  all.textContent = open ? "Show fewer" : `Show all ${sorted.length}`;
  all.onclick = () => {
    all.setAttribute("aria-expanded", !open);
    showTastes(list, all, tastes);
  };
  const values = rows.flatMap(([, { day, weeks }]) => [day, weeks]);
  // The scale moves in steps: if it followed the longest bar, every rating would change all bars.
  const high = step(Math.max(0, ...values));
  const low = step(-Math.min(0, ...values));
  const zero = low / (high + low || 1);
  flip(list, () =>
    reconcile(
      list,
      rows.map(([genre, taste]) => ({
        key: genre,
        make: () => make(genre),
        update: (row) => {
          row.style.setProperty("--zero", zero);
          for (const when of ["day", "weeks"]) {
            const bar = row.querySelector(`.${when}`);
            const length = Math.abs(taste[when]) / (high + low || 1);
            bar.style.setProperty("--from", taste[when] < 0 ? zero - length : zero);
            bar.style.setProperty("--length", length);
            bar.classList.toggle("against", taste[when] < 0);
          }
          row.querySelector(".numbers").textContent = `day ${signed(taste.day)} · weeks ${signed(taste.weeks)}`;
          row.querySelector(".unseen").textContent = `: last day ${signed(taste.day)}, last weeks ${signed(taste.weeks)}`;
        },
      })),
    ),
  );
}

const step = (value) => (value === 0 ? 0 : (STEPS.find((each) => value <= each) ?? 1));

function make(genre) {
  const row = el(
    "li", {},
    el("span.genre", {}, genre, el("span.unseen")),
    el("span.numbers", { "aria-hidden": "true" }),
    el("span.bars", { "aria-hidden": "true" }, el("span.bar.day"), el("span.bar.weeks")),
  );
  row.style.setProperty("--hue", String(hue(genre)));
  return row;
}

// A user's taste: a row a genre, with two bars, for the last day and for the last weeks. Less than nothing is a dislike.

import { el, reconcile } from "./dom.js";
import { flip } from "./flip.js";
import { hue } from "./genres.js";

const SHOWN = 8;
const STEPS = [0.1, 0.2, 0.3, 0.5, 0.75, 1];

/** `tastes` as in GET /v1/users/{id}: genre → {hour, day, weeks}, each from −1 to 1. */
export function showTastes(list, tastes) {
  const strength = ({ day, weeks }) => Math.max(Math.abs(day), Math.abs(weeks));
  const rows = Object.entries(tastes).sort(([, a], [, b]) => strength(b) - strength(a)).slice(0, SHOWN);
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
          for (const when of ["day", "weeks"]) {
            const bar = row.querySelector(`.${when}`);
            bar.style.setProperty("--zero", zero);
            bar.style.setProperty("--length", Math.abs(taste[when]) / (high + low || 1));
            bar.classList.toggle("against", taste[when] < 0);
          }
          row.querySelector(".numbers").textContent = `${percent(taste.day)} · ${percent(taste.weeks)}`;
          row.querySelector(".unseen").textContent = `: last day ${percent(taste.day)}, last weeks ${percent(taste.weeks)}`;
        },
      })),
    ),
  );
}

const step = (value) => (value === 0 ? 0 : (STEPS.find((each) => value <= each) ?? 1));

/** With a real minus sign; "−0" is nothing. */
function percent(value) {
  const rounded = Math.round(value * 100);
  return `${rounded < 0 ? "−" : ""}${Math.abs(rounded)} %`;
}

function make(genre) {
  const row = el(
    "li", {},
    el("span.genre", {}, genre, el("span.unseen")),
    el("span.numbers", { "aria-hidden": "true" }),
    el("span.bars", { "aria-hidden": "true" }, el("span.bar.day"), el("span.bar.weeks")),
  );
  row.style.setProperty("--hue", hue(genre));
  return row;
}

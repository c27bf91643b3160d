// What the user did last, newest first.

import { el, reconcile } from "./dom.js";
import { flip } from "./flip.js";
import { spoken } from "./schema.js";
import { ago, date, number, isoDate, shownTitle } from "./format.js";

const ACTS = { click: "clicked", view: "viewed", like: "liked", dislike: "disliked" };

/** `history` as in GET /v1/users/{id}; `now`: the home's clock. */
export function showHistory(list, history, now) {
  const times = new Map(); // the same film twice in a millisecond is possible: the key counts them
  flip(list, () =>
    reconcile(
      list,
      history.map((entry) => {
        const what = `${entry.item_id} ${entry.ts} ${entry.type} ${entry.rating ?? entry.value}`;
        times.set(what, (times.get(what) ?? 0) + 1);
        return {
          key: `${what} ${times.get(what)}`,
          make: () => make(entry),
          update: (row) => (row.querySelector("time").textContent = ago(entry.ts, now)),
        };
      }),
    ),
  );
}

function make({ title, ts, type, rating, value }) {
  const act =
    type === "rating" ? el("span.act.rated", { "aria-label": `rated ${rating} of 5`, role: "img" }, `${rating} ★`) : el("span.act", {}, `${ACTS[type] ?? spoken(type)}${value ? ` ${number(value)}` : ""}`);
  return el("li", {}, el("span.what", {}, shownTitle(title)), act, el("time", { datetime: isoDate(ts), title: date(ts) }));
}

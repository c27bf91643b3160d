// Two models' lists side by side, with each film's rank in the other list.

import { briefly, pageFrom } from "./cards.js";
import { el, reconcile } from "./dom.js";
import { paint } from "./posters.js";
import { flip } from "./flip.js";
import { nouns } from "./schema.js";
import { ordinal, shownTitle } from "./format.js";

/** Show two answers of GET /v1/recommendations in `root`. */
export function showSides(root, left, right) {
  if (root.children.length !== 2) root.replaceChildren(side("left"), side("right"));
  const place = (answer) => new Map(answer.items.map((item, at) => [String(item.item_id), at]));
  const [there, here] = [place(right), place(left)];
  fill(root.children[0], left, there);
  fill(root.children[1], right, here);
}

const side = (name) => el(`section.side.${name}`, {}, el("h3"), el("p.soft"), el("ol"));

function fill(section, answer, others) {
  const name = `${answer.model ?? "recall"}${answer.model_version ? ` · version ${answer.model_version}` : ""}`;
  section.setAttribute("aria-label", `List by ${name}`);
  section.querySelector("h3").textContent = name;
  const shared = answer.items.filter((item) => others.has(String(item.item_id))).length;
  section.querySelector("p").textContent = `${shared} of ${answer.items.length} ${nouns} also in the other list`;
  const list = section.querySelector("ol");
  flip(list, () =>
    reconcile(
      list,
      answer.items.map((item, at) => ({
        key: item.item_id,
        make: () => make(item),
        update: (row) => {
          const key = String(item.item_id);
          row.querySelector(".rank").textContent = at + 1;
          row.querySelector("a").href = pageFrom(answer, item.item_id, at);
          const mark = row.querySelector(".change");
          const there = others.get(key);
          mark.className = `change ${there === undefined ? "new" : ""}`;
          mark.textContent = there === undefined ? "only here" : there === at ? "same place" : `here ${ordinal(at + 1)} · there ${ordinal(there + 1)}`;
        },
      })),
    ),
  );
}

function make(item) {
  const face = el("span.face");
  paint(face, item);
  const row = el("li", {}, el("span.rank"), face, el("span.film", {}, el("a", {}, shownTitle(item.title)), el("small", {}, briefly(item, 3))), el("span.change"));
  // The same film in the other list lights up.
  const light = (on) => () => {
    for (const twin of document.querySelectorAll(`.side [data-key="${CSS.escape(String(item.item_id))}"]`)) twin.classList.toggle("twin", on);
  };
  row.addEventListener("pointerenter", light(true));
  row.addEventListener("pointerleave", light(false));
  row.addEventListener("focusin", light(true));
  row.addEventListener("focusout", light(false));
  return row;
}

// Rows that go on beyond the edge: the edge fades, and two buttons move on; the keyboard has both.

import { el } from "./dom.js";

/** Give the row of a section its buttons, in the section's head. */
export function makeRail(section) {
  const row = section.querySelector(".row");
  const name = section.querySelector("h2").textContent;
  const go = (sign, words, way) => el("button.go", { type: "button", "aria-label": `${words} in ${name}`, onclick: () => row.scrollBy({ left: way * row.clientWidth * 0.8, behavior: "smooth" }) }, sign);
  const buttons = [go("‹", "Back", -1), go("›", "On", 1)];
  const ways = el("span.ways", { hidden: true }, ...buttons);
  section.querySelector(".row-head").append(ways);
  const look = () => {
    const ends = [row.scrollLeft <= 4, row.scrollLeft + row.clientWidth >= row.scrollWidth - 4];
    ways.hidden = ends[0] && ends[1];
    // Not disabled: a button that has the focus would lose it.
    ends.forEach((end, at) => buttons[at].setAttribute("aria-disabled", String(end)));
    row.classList.toggle("goes-back", !ends[0]);
    row.classList.toggle("goes-on", !ends[1]);
  };
  row.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(row);
  new MutationObserver(look).observe(row, { childList: true });
}

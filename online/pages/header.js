// The header of every page: the search, and the link "My list".

import { getItems } from "./api.js";
import { briefly, moviePage } from "./cards.js";
import { $, el } from "./dom.js";
import { paint } from "./posters.js";
import { player, userPage } from "./me.js";
import { labelsOf, noun, nouns, schema, yearOf } from "./schema.js";
import { count, shownTitle } from "./format.js";

const SHOWN = 8;
const PAUSE_MS = 90;

const mine = document.getElementById("my-list");
if (mine instanceof HTMLAnchorElement) mine.href = userPage(player());

const input = $("search", HTMLInputElement);
const found = $("found");
let asked = new AbortController();
let timer = 0;
let active = -1;

const options = () => /** @type {HTMLElement[]} */ ([...found.querySelectorAll("[role=option]")]);

function open(shown) {
  found.hidden = !shown;
  input.setAttribute("aria-expanded", String(shown));
  if (!shown) choose(-1);
}

function choose(at) {
  active = at;
  options().forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
  if (at < 0) input.removeAttribute("aria-activedescendant");
  else {
    input.setAttribute("aria-activedescendant", options()[at].id);
    options()[at].scrollIntoView({ block: "nearest" });
  }
}

/** Nothing opens it again that was on its way. */
function close() {
  clearTimeout(timer);
  asked.abort();
  open(false);
}

async function look() {
  asked.abort();
  const words = input.value.trim();
  if (!words) return close();
  const turn = (asked = new AbortController());
  try {
    const { items } = await getItems({ q: words, limit: SHOWN }, turn.signal);
    if (turn.signal.aborted) return;
    const before = options()[active]?.dataset.href;
    found.replaceChildren(...items.map((item, at) => option(item, at, words)));
    active = before === undefined ? -1 : options().findIndex((each) => each.dataset.href === before); // what was chosen stays so
    $("found-count").textContent = items.length ? `${items.length === SHOWN ? "At least " : ""}${count(items.length, noun, nouns)}` : `No ${noun}`;
    if (!items.length) found.append(el("li.nothing", { role: "option", "aria-disabled": "true", "aria-selected": "false", id: "found-none" }, `No title has words that begin with “${words}”.`));
  } catch (fault) {
    if (turn.signal.aborted) return;
    found.replaceChildren(el("li.nothing", { role: "option", "aria-disabled": "true", "aria-selected": "false", id: "found-none" }, fault.message));
    active = -1;
  }
  open(true);
  choose(active);
}

function option(item, at, words) {
  const face = el("span.face");
  paint(face, item);
  const node = el(
    "li", { role: "option", id: `found-${at}`, "aria-selected": "false" },
    face, el("span", {}, ...marked(shownTitle(item.title), words), el("small", {}, schema.era === null ? briefly(item, 3) : labelsOf(item).slice(0, 3).join(", "))), el("small", {}, String(yearOf(item) ?? "")),
  );
  node.dataset.href = moviePage(item.item_id);
  return node;
}

/** The title, with what was typed marked where words begin with it. */
function* marked(title, words) {
  const starts = words.toLowerCase().split(/\s+/);
  for (const part of title.split(/(\s+)/)) {
    const start = starts.find((each) => part.toLowerCase().startsWith(each));
    if (start) yield el("mark", {}, part.slice(0, start.length));
    yield start ? part.slice(start.length) : part;
  }
}

const go = (option) => {
  if (option?.dataset.href) location.href = option.dataset.href;
};

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE_MS);
});
input.addEventListener("keydown", (press) => {
  const last = options().length - 1;
  if (press.key === "ArrowDown" || press.key === "ArrowUp") {
    press.preventDefault();
    if (found.hidden) return void look();
    if (last >= 0) choose(press.key === "ArrowDown" ? (active >= last ? 0 : active + 1) : active <= 0 ? last : active - 1);
  } else if (press.key === "Escape") {
    if (!found.hidden) press.preventDefault(); // closed, it empties the search
    close();
  } else if (press.key === "Enter" && active >= 0) {
    press.preventDefault();
    go(options()[active]);
  }
});
input.addEventListener("blur", close);
input.addEventListener("focus", () => input.value.trim() && look());
found.addEventListener("pointerdown", (press) => press.preventDefault()); // the search keeps the focus
found.addEventListener("click", (click) => go(/** @type {Element} */ (click.target).closest("[role=option]")));
if (document.activeElement === input) look(); // what was typed before this script came

// The recommended list: one tile an item, renewed in place so that a person sees what a rating moved.

import { ignoreDoubleClicks, menuOf, starsOf, thumbsOf } from "./acts.js";
import { briefly, pageFrom, poster } from "./cards.js";
import { channelName, channelWords } from "./channels.js";
import { el, reconcile } from "./dom.js";
import { paint } from "./posters.js";
import { flip } from "./flip.js";
import { gain, showMove } from "./rank-changes.js";
import { rates } from "./schema.js";
import { showStars } from "./stars.js";
import { shownTitle } from "./format.js";

const CHIPS = 2;

export class Tiles {
  /**
   * `onAct(item, act)` is called with what acts.js offers: {type: "rating", rating}, {type: "like"}, … `kind`: how a tile is made and
   * updated, as CARD below.
   */
  constructor(list, onAct, kind = CARD) {
    this.list = list;
    this.onAct = onAct;
    this.kind = kind;
    this.order = []; // keys, as shown
    this.waiting = new Map(); // key → stars (0 for a like): acts not in the list's features yet
    this.#guard();
  }

  /** The list can be new before the second click of a double click, and another film under it. */
  #guard() {
    ignoreDoubleClicks(this.list);
    // Nor do stars light up under a mouse that did not move.
    this.list.addEventListener("pointermove", (move) => {
      if (move.movementX || move.movementY) this.list.classList.remove("renewed");
    });
  }

  /**
   * Show an answer of GET /v1/recommendations, and mark what moved. `moves`: see rank-changes.js; null: nothing is compared.
   * @param {any} answer
   * @param {import("./rank-changes.js").Moves | null} moves
   */
  show(answer, moves = null) {
    const { items } = answer;
    const scale = scaleOf(items.map((item) => item.score));
    const focus = this.#focus();
    flip(this.list, () =>
      reconcile(
        this.list,
        items.map((item, at) => ({
          key: item.item_id,
          make: () => this.#make(item),
          update: (tile) => {
            const key = String(item.item_id);
            const move = moves?.get(key);
            const change = gain(move);
            showMove(tile.querySelector(".change"), move);
            tile.classList.toggle("rose", change > 0 || Number.isNaN(change));
            this.kind.update(tile, item, at, answer, scale);
            this.#setWaiting(tile, key);
          },
        })),
      ),
    );
    this.order = items.map((item) => String(item.item_id));
    this.list.classList.add("renewed");
    this.#refocus(focus);
  }

  showSkeleton(size) {
    this.order = [];
    this.list.replaceChildren(...Array.from({ length: size }, () => el("li.tile.skeleton", { "aria-hidden": "true" })));
  }

  clear() {
    this.order = [];
    this.list.replaceChildren();
  }

  /** An act is under way (stars; 0 for a like): the tile says so until it leaves, or until `settle`. */
  wait(itemId, stars) {
    this.#mark(String(itemId), stars);
  }

  /** The act came to nothing, or is in the features now. */
  settle(itemId) {
    this.#mark(String(itemId), undefined);
  }

  /** All acts are in the features, or nobody waits for them any more, but for those on these items, which are not sent yet. */
  settleBut(/** @type {Set<string>} */ unsent) {
    for (const key of [...this.waiting.keys()]) if (!unsent.has(key)) this.settle(key);
  }

  #mark(key, stars) {
    if (stars === undefined) this.waiting.delete(key);
    else this.waiting.set(key, stars);
    const tile = [...this.list.children].find((each) => each.dataset.key === key);
    if (tile) this.#setWaiting(tile, key);
  }

  #setWaiting(tile, key) {
    const busy = this.waiting.has(key);
    tile.classList.toggle("waiting", busy);
    tile.setAttribute("aria-busy", busy);
    const was = tile.dataset.waited === "yes";
    if (busy || was) showStars(tile.querySelector(".stars"), this.waiting.get(key) ?? 0);
    tile.dataset.waited = busy ? "yes" : "no";
  }

  #make(item) {
    return this.kind.make(item, (what) => {
      if (!this.waiting.has(String(item.item_id))) this.onAct(item, what);
    });
  }

  /** Which tile has the keyboard, and on what: a moved element loses it, and a tile that leaves takes it along. */
  #focus() {
    /** @type {HTMLElement | null | undefined} */
    const tile = document.activeElement?.closest?.(".tile");
    return tile && this.list.contains(tile) ? { tile, control: document.activeElement, at: this.order.indexOf(tile.dataset.key) } : null;
  }

  #refocus(focus) {
    if (!focus || document.activeElement === focus.control) return;
    const stays = focus.tile.dataset.key !== undefined && focus.tile.isConnected;
    const tile = stays ? focus.tile : this.list.children[Math.min(focus.at, this.order.length - 1)];
    // To the same kind of control in the tile that took the place.
    const control = stays ? focus.control : tile?.querySelector(focus.control.type === "radio" ? ".star input" : focus.control.tagName === "A" ? "a" : ".thumb");
    control?.focus({ preventScroll: true });
  }
}

/** A tile of the user page. */
const CARD = {
  make(item, act) {
    const title = shownTitle(item.title);
    const face = el("div.face", {}, el("div.place", {}, el("span.rank"), el("span.change")), el("h3", {}, el("a", { title }, title)));
    paint(face, item, { broad: true });
    return el(
      "li.tile", {},
      face,
      el(
        "div.body", {},
        el("p.genres", {}, briefly(item) || "nothing known of it"),
        el("div.score", {}, el("span", { "aria-hidden": "true" }, "match"), el("span.bar", { role: "img" }, el("span.fill")), el("button.ask", { type: "button", "aria-expanded": "false", "aria-label": `Why ${title}` }, "why")),
        el("ul.chips", { "aria-label": "Found by" }),
        el("div.acts", {}, starsOf(title, item.item_id, act), thumbsOf(title, act)),
        menuOf(title, act),
      ),
    );
  },

  update(tile, item, at, answer, scale) {
    tile.querySelector(".rank").textContent = at + 1;
    tile.querySelector("h3 a").href = pageFrom(answer, item.item_id, at);
    const share = scale(item.score);
    tile.querySelector(".fill").style.setProperty("--share", share);
    const bar = tile.querySelector(".bar");
    bar.setAttribute("aria-label", `match, against the best of this list: ${Math.round(share * 100)} %`);
    bar.setAttribute("title", `match, against the best of this list; the model's score: ${item.score}`);
    const shown = chips(item);
    const said = shown.map((chip) => chip.title).join("\n");
    if (tile.dataset.chips === said) return;
    tile.dataset.chips = said;
    tile.querySelector(".chips").replaceChildren(...shown);
  },
};

/** A poster with stars, or else thumbs, for a row. */
export const POSTER = {
  make(item, act) {
    const title = shownTitle(item.title);
    const tile = poster(item);
    tile.classList.add("tile");
    tile.querySelector(".face")?.append(el("span.change"));
    tile.append(...[rates ? starsOf(title, item.item_id, act) : thumbsOf(title, act), menuOf(title, act)].filter((each) => each !== null));
    return tile;
  },

  update(tile, item, at, answer) {
    tile.querySelector("a").href = pageFrom(answer, item.item_id, at);
  },
};

/** What found it, those first that rank it highest; the rest are counted. */
function chips({ channels, explain }) {
  const place = (name) => explain?.channels?.[name]?.place ?? Infinity;
  const names = [...channels].sort((one, other) => place(one) - place(other));
  const rest = names.slice(CHIPS);
  return [
    ...names.slice(0, CHIPS).map((name) => el("li", { title: channelWords(name) }, channelName(name))),
    ...(rest.length ? [el("li.rest", { title: rest.map(channelWords).join("\n") }, `+ ${rest.length}`)] : []),
  ];
}

/** Bars against the best of the list where no score is below 0; a model may give others, then they span the list's worst to best. */
function scaleOf(scores) {
  const low = Math.min(0, ...scores);
  const high = Math.max(...scores);
  return (score) => (high > low ? (score - low) / (high - low) : 1);
}

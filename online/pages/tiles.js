// The recommended list: one tile a film, renewed in place so that a person sees what a rating moved.

import { el, icon, reconcile } from "./dom.js";
import { flip } from "./flip.js";
import { paint } from "./genres.js";
import { makeStars, showStars } from "./stars.js";
import { shownTitle } from "./words.js";

const THUMB = "M2 21h4V9H2v12Zm20-11a2 2 0 0 0-2-2h-6.300l.95-4.570.03-.32a1.500 1.500 0 0 0-.44-1.060L13.200 1 6.600 7.600A2 2 0 0 0 6 9v10a2 2 0 0 0 2 2h9c.8 0 1.500-.5 1.840-1.220l3.020-7.050c.09-.23.140-.47.140-.73v-2Z";
const DOUBLE_MS = 500;
const WHY = {
  ease: "goes with all that this user liked",
  similar: "liked by others next to what this user liked",
  together: "liked together with it right now",
  genre: "of a genre this user likes",
  popular_day: "popular today",
  popular: "popular lately",
};

/** `onAct(item, act)` is called with {type: "rating", rating} or {type: "like"} or {type: "dislike"}. */
export class Tiles {
  constructor(list, onAct) {
    this.list = list;
    this.onAct = onAct;
    this.order = []; // keys, as shown
    this.waiting = new Map(); // key → stars (0 for a like): acts not in the list's features yet
    this.#guard();
  }

  /** The list can be new before the second click of a double click, and another film under it: that click means nothing. */
  #guard() {
    let last = { at: -Infinity, x: 0, y: 0 };
    const tooSoon = (click) => {
      if (click.detail === 0) return; // by a key, or by a screen reader
      const here = { at: click.timeStamp, x: click.clientX, y: click.clientY };
      const again = here.at - last.at < DOUBLE_MS && Math.hypot(here.x - last.x, here.y - last.y) < 8;
      last = here;
      if (again) {
        click.preventDefault();
        click.stopPropagation();
      }
    };
    this.list.addEventListener("click", tooSoon, true);
    // Nor do stars light up under a mouse that did not move.
    this.list.addEventListener("pointermove", (move) => {
      if (move.movementX || move.movementY) this.list.classList.remove("renewed");
    });
  }

  /** Show `items`. With `compare`, mark what is new and what changed its place against what was shown. */
  show(items, { compare = false } = {}) {
    // Closing up behind a film that left is no news: places are compared among the films that are in both lists.
    const now = items.map((item) => String(item.item_id));
    const stayed = this.order.filter((key) => now.includes(key));
    const kept = now.filter((key) => stayed.includes(key));
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
            const change = !compare ? 0 : stayed.includes(key) ? stayed.indexOf(key) - kept.indexOf(key) : NaN;
            update(tile, item, at + 1, change, scale);
            this.#setWaiting(tile, key);
          },
        })),
      ),
    );
    this.order = now;
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
    const title = shownTitle(item.title);
    const act = (what) => {
      if (!this.waiting.has(String(item.item_id))) this.onAct(item, what);
    };
    const thumb = (type, label) =>
      el(`button.thumb.${type}`, { type: "button", "aria-label": `${label} ${title}`, title: label, onclick: () => act({ type }) }, icon(THUMB));
    const face = el(
      "div.face", {},
      el("div.place", {}, el("span.rank"), el("span.change")),
      el("h3", { title }, title),
    );
    paint(face, item.item_id, item.genres);
    return el(
      "li.tile", {},
      face,
      el(
        "div.body", {},
        el("p.genres", {}, [item.year, item.genres.join(", ")].filter(Boolean).join(" · ") || "no genres known"),
        el("div.score", {}, el("span.bar", { "aria-hidden": "true" }, el("span.fill")), el("span.value")),
        el("ul.chips", { "aria-label": "Found by" }),
        el("div.acts", {}, makeStars(title, item.item_id, (rating) => act({ type: "rating", rating })), el("span.thumbs", {}, thumb("like", "Like"), thumb("dislike", "Dislike"))),
      ),
    );
  }

  /** Which tile has the keyboard, and on what: a moved element loses it, and a tile that leaves takes it along. */
  #focus() {
    const tile = document.activeElement?.closest?.(".tile");
    return tile && this.list.contains(tile) ? { tile, control: document.activeElement, at: this.order.indexOf(tile.dataset.key) } : null;
  }

  #refocus(focus) {
    if (!focus || document.activeElement === focus.control) return;
    const stays = focus.tile.dataset.key !== undefined && focus.tile.isConnected;
    const tile = stays ? focus.tile : this.list.children[Math.min(focus.at, this.order.length - 1)];
    // To the same kind of control in the tile that took the place.
    const control = stays ? focus.control : tile?.querySelector(focus.control.type === "radio" ? ".star input" : ".thumb");
    control?.focus({ preventScroll: true });
  }
}

/** `change`: places gained (lost: negative), 0 for none, NaN for a film that was not there. */
function update(tile, item, rank, change, scale) {
  tile.querySelector(".rank").textContent = rank;
  const mark = tile.querySelector(".change");
  const places = Math.abs(change) === 1 ? "place" : "places";
  mark.className = `change ${Number.isNaN(change) ? "new" : change > 0 ? "up" : change < 0 ? "down" : "none"}`;
  mark.textContent = Number.isNaN(change) ? "new" : change > 0 ? `▲ ${change}` : change < 0 ? `▼ ${-change}` : "";
  if (change) mark.setAttribute("aria-label", `${change > 0 ? "up" : "down"} ${Math.abs(change)} ${places}`);
  else mark.removeAttribute("aria-label");
  mark.setAttribute("role", "img");
  mark.hidden = change === 0;
  if (Number.isNaN(change)) mark.removeAttribute("role");
  tile.querySelector(".fill").style.setProperty("--share", scale.share(item.score));
  tile.querySelector(".value").textContent = scale.text(item.score);
  tile.querySelector(".value").setAttribute("title", `score ${item.score}`);
  tile.querySelector(".chips").replaceChildren(...item.channels.map((name) => el("li", { title: WHY[name] }, name)));
}

/** Scores from 0 to 1 are shares, told as they are, with bars against the best of the list; a model may give others, then the bar
 *  spans the list's worst to best. */
function scaleOf(scores) {
  const low = Math.min(...scores);
  const high = Math.max(...scores);
  if (low >= 0 && high <= 1) return { share: (score) => (high > 0 ? score / high : 0), text: (score) => `${(score * 100).toFixed(1)} %` };
  return { share: (score) => (high > low ? (score - low) / (high - low) : 1), text: (score) => score.toFixed(3) };
}

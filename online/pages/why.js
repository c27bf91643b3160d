// Why a film stands where it stands, and what changed since the list before: told on hover, on focus, and by a button.

import { channelName, channelWords } from "./channels.js";
import { el } from "./dom.js";
import { noun, rates, tastesOf } from "./schema.js";
import { number, ordinal, shownTitle, signed } from "./format.js";

const AFTER_MS = 400;
const CHANNELS = 3;
const GENRES = 2;
const ROOM = 350;

export class Why {
  /** `list`: the tiles, each with its key and a button of class `ask`. */
  constructor(list) {
    this.list = list;
    this.now = new Map(); // key → what explains it, its score, tastes' names and title
    this.before = new Map();
    this.moves = null;
    this.panel = el("div.why", { id: "why", role: "group", "aria-label": "Why it is here", hidden: true });
    this.tile = null;
    this.timer = 0;
    const later = (tile) => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (tile ? this.#open(tile) : this.close()), tile ? AFTER_MS : AFTER_MS / 2);
    };
    // Not over the stars: who goes to rate wants no panel over the next film.
    list.addEventListener("pointerover", (move) => move.pointerType === "mouse" && later(move.target.closest(".face, .score, .chips, .why")?.closest(".tile:not(.ghost)") ?? null));
    list.addEventListener("pointerleave", () => later(null));
    list.addEventListener("focusin", (focus) => focus.target.matches(":focus-visible") && !focus.relatedTarget?.matches(".close") && later(focus.target.closest(".tile")));
    list.addEventListener("focusout", (focus) => list.contains(focus.relatedTarget) || later(null));
    list.addEventListener("click", (click) => {
      const button = click.target.closest(".ask");
      if (!button) return;
      clearTimeout(this.timer);
      if (this.tile === button.closest(".tile")) this.close();
      else this.#open(button.closest(".tile"));
    });
    document.addEventListener("keydown", (press) => press.key === "Escape" && this.close());
  }

  /** A list with its explanations, in place of the one before. `moves`: see rank-changes.js; null: nothing is compared. `again`: the list before stays. */
  show({ items, explain }, moves, again) {
    if (!again) this.before = this.now;
    this.now = new Map(items.map((item) => [String(item.item_id), { ...item.explain, score: item.score, labels: tastesOf(item), title: shownTitle(item.title) }]));
    this.moves = moves;
    this.tastes = explain?.user?.tastes ?? null;
    this.recalled = explain?.stages?.recalled ?? null;
    if (this.tile && this.now.has(this.tile.dataset.key)) this.#fill(this.tile.dataset.key);
    else this.close();
  }

  close() {
    clearTimeout(this.timer);
    const ask = this.tile?.querySelector(".ask");
    if (this.panel.contains(document.activeElement)) ask.focus({ preventScroll: true });
    ask?.setAttribute("aria-expanded", "false");
    this.tile?.classList.remove("explained");
    this.tile = null;
    this.panel.hidden = true;
    this.panel.remove();
  }

  #open(tile) {
    if (!tile?.dataset.key || !this.now.has(tile.dataset.key) || tile === this.tile) return;
    this.close();
    this.tile = tile;
    this.#fill(tile.dataset.key);
    tile.classList.add("explained");
    tile.querySelector(".ask")?.setAttribute("aria-expanded", "true");
    tile.append(this.panel);
    this.panel.hidden = false;
    // Beside its tile, to the left where the right side lacks room.
    this.panel.classList.toggle("left", tile.getBoundingClientRect().right + ROOM > innerWidth);
  }

  #fill(key) {
    const why = this.now.get(key);
    const rows = [];
    const row = (/** @type {string} */ text, /** @type {string | null} */ more = null, /** @type {string | null} */ title = null) => rows.push(el("li", { title }, text, more === null ? null : el("small", {}, more)));
    const channels = Object.entries(why.channels ?? {}).sort(([, a], [, b]) => a.place - b.place).slice(0, CHANNELS);
    for (const [name, { place, strength }] of channels) {
      row(`${ordinal(place + 1)} by ${channelName(name)}`, null, `${channelWords(name)}${strength === undefined ? "" : `; strength ${short(strength)}`}`);
    }
    for (const [name, { rank, score }] of Object.entries(why.models ?? {})) {
      row(`${ordinal(rank + 1)}${this.recalled ? ` of ${number(this.recalled)}` : ""} by the model ${name}`, `score ${short(score)}`);
    }
    const liked = [...why.labels].sort((a, b) => strengthOf(this.tastes, b) - strengthOf(this.tastes, a)).slice(0, GENRES);
    for (const genre of liked) if (this.tastes?.[genre]) row(`your taste for ${genre} today: ${signed(this.tastes[genre].day)}`);
    const f = why.features;
    if (f && rates) row(`the ${noun} has ★ ${number(f.mean_rating)} of ${count(f.log_ratings)} ratings`);
    for (const rule of why.rules ?? []) row(`rule: ${rule}`);
    const move = this.#move(key);
    this.panel.replaceChildren(
      el("button.close", { type: "button", "aria-label": "Close", onclick: () => this.close() }, "×"),
      el("p.head", {}, "Why it is here"),
      el("p.film", {}, why.title),
      ...(move ? [el("p.move", {}, move)] : []),
      el("ul", {}, ...rows),
    );
  }

  /** What moved it, by its score in the list before and in this: what stands below does not tell that. */
  #move(key) {
    const move = this.moves?.get(key);
    if (!move || move.was === move.at) return null;
    if (move.was < 0) return "New in this list.";
    const then = this.before.get(key)?.score;
    const grew = then === undefined ? 0 : this.now.get(key).score - then;
    const cause = move.at < move.was ? (grew > 0 ? "its score rose" : "others fell more") : grew < 0 ? "its score fell" : "others rose more";
    return `${ordinal(move.was + 1)} → ${ordinal(move.at + 1)}: ${cause}${move.gone ? " (what you rated or opened is not counted)" : ""}`;
  }
}

const strengthOf = (tastes, genre) => Math.abs(tastes?.[genre]?.day ?? 0);
const count = (log) => number(Math.round(Math.expm1(log)));
const short = (value) => (Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3));

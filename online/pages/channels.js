// Recall channels: what found a film. Each is a button that shows its films among the others.

import { childrenOf, el, focused } from "./dom.js";
import { noun, nouns, schema, spoken } from "./schema.js";

const labels = spoken(schema.labels ?? "kinds");

/** name: [what a person calls it, what it does]. */
const KNOWN = {
  ease: ["your taste", "goes with all that this user liked"],
  similar: ["like yours", "liked by others next to what this user liked"],
  together: ["right now", "liked together with what this user liked, counted live"],
  genre: [`your ${labels}`, labels === "genres" ? "of a genre that this user likes" : `of ${labels} that this user likes`],
  popular_day: ["popular today", "most liked in the last day"],
  popular: ["popular", "most liked lately"],
  trending: ["rising", "more than usual today"],
  new: ["just added", "new in the catalogue"],
  newest: [`new ${nouns}`, "came out last"],
  era: ["your era", "of the years that this user likes"],
  session: ["this session", "near to what this user just did"],
  nearest_sessions: ["visits like this", "from the past visits that are most like the latest one"],
  again: ["once more", "what this user looked at lately"],
  due: ["due again", "taken before, and by now likely to be taken again"],
  segments: ["users like this one", "what users with the same attributes, or all in the same circumstances, like more than elsewhere"],
  als: ["ALS", "near to this user by the factors of alternating least squares"],
  item2vec: ["Item2vec", `near to what this user liked, ${nouns} as words`],
  deepwalk: ["DeepWalk", `near to what this user liked, by walks from ${noun} to ${noun}`],
  twotower: ["two towers", "near to this user by the two-tower model"],
};

export const channelName = (name) => KNOWN[name]?.[0] ?? name;
export const channelWords = (name) => (KNOWN[name] ? `${name}: ${KNOWN[name][1]}` : name);

export class Channels {
  /** `group`: where the buttons go; `list`: whose tiles are shown or put back. */
  constructor(/** @type {HTMLElement} */ group, /** @type {HTMLElement} */ list) {
    this.group = group;
    this.list = list;
    this.chosen = null;
    this.by = new Map(); // key → names
  }

  show(items) {
    this.by = new Map(items.map((item) => [String(item.item_id), item.channels]));
    const counts = new Map();
    for (const name of items.flatMap((item) => item.channels)) counts.set(name, (counts.get(name) ?? 0) + 1);
    if (!counts.has(this.chosen)) this.chosen = null;
    this.group.hidden = counts.size === 0;
    const had = this.group.contains(document.activeElement) ? focused()?.dataset.name : undefined;
    this.group.replaceChildren(
      el("span", {}, "Found by"),
      ...[...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => {
        const button = el("button", { type: "button", title: channelWords(name), "aria-pressed": name === this.chosen, onclick: () => this.#choose(name) }, channelName(name), el("small", {}, String(count)));
        button.dataset.name = name;
        return button;
      }),
    );
    if (had) childrenOf(this.group).find((button) => button.dataset.name === had)?.focus();
    this.#mark();
  }

  #choose(name) {
    this.chosen = this.chosen === name ? null : name;
    for (const button of this.group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.name === this.chosen));
    this.#mark();
  }

  #mark() {
    for (const tile of childrenOf(this.list)) {
      const names = this.by.get(tile.dataset.key) ?? [];
      tile.classList.toggle("aside", this.chosen !== null && !names.includes(this.chosen));
    }
  }
}

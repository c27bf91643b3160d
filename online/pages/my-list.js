// The user's own list as a row of posters that can be rated in place; each rating renews the list.

import { Acts, say, sayRenewed, sayStuck, sayWaits } from "./sent-events.js";
import { getRecommendations } from "./api.js";
import { skeletons } from "./cards.js";
import { withRetry } from "./dom.js";
import { movesOf } from "./rank-changes.js";
import { POSTER, Tiles } from "./tiles.js";
import { whenShown } from "./timing.js";
import { noun } from "./schema.js";
import { comesBack, degradedSentence, shownTitle } from "./format.js";

const AGAIN_MS = 1000;
const AGAIN = 20;
const MOST_MS = 10_000;

/** Fill the row in `section` with `size` films for `user`. Gives what renews it. @param {HTMLElement} section */
export function showMine(section, user, size) {
  const row = /** @type {HTMLElement} */ (section.querySelector(".row"));
  const note = /** @type {HTMLElement} */ (section.querySelector(".note"));
  const tiles = new Tiles(row, act, POSTER);
  const acts = new Acts(/** @type {HTMLElement} */ (section.querySelector("#undo")), { focus: row, onSent: (acted) => load(acted), onFailed: (key) => tiles.settle(key) });
  /** @type {string | null} */
  let shownAs = null;
  let turn = 0;
  /** @type {import("./sent-events.js").Acted | null} */
  let current = null; // the act that no list has answered yet

  function act(item, { type, rating, value }) {
    const key = String(item.item_id);
    tiles.wait(key, rating ?? 0);
    acts.send({ type, user_id: user, item_id: item.item_id, rating, value, request_id: shownAs, position: tiles.order.indexOf(key) }, shownTitle(item.title), { key });
  }

  /** `acted`: as `onSent` has it, or null. What is not in the list yet is asked for again; so is a list that misses what comes back by itself,
   *  less and less often: each one counts as shown. Where that fails, a list that is shown stays so, and is asked for again.
   * @param {import("./sent-events.js").Acted | null} acted
   */
  async function load(acted = null) {
    const mine = ++turn;
    current = acted;
    for (let times = 0, pause = AGAIN_MS; ; times++) {
      let answer;
      await whenShown();
      if (mine !== turn) return;
      try {
        answer = await getRecommendations({ user_id: user, size, seen: acted?.token });
      } catch (fault) {
        if (mine !== turn) return;
        tell(...(tiles.order.length ? [fault.message] : withRetry(fault, begin)));
        tiles.settleBut(acts.unsent);
        if (acted) say("It is kept, but the list could not be renewed.", "waits");
        if (!tiles.order.length) return;
        acted = current = null; // it is told, and in a later list
      }
      if (mine !== turn) return;
      if (answer && show(answer, acted)) acted = current = null; // it is in the list, and told
      if (acted && times >= AGAIN) {
        current = null;
        tiles.settleBut(acts.unsent);
        return sayStuck(acted.what);
      }
      if (answer && !acted && !comesBack(answer.degraded)) return;
      await new Promise((done) => setTimeout(done, pause));
      if (!acted) pause = Math.min(2 * pause, MOST_MS);
    }
  }

  function show(answer, acted) {
    const { items, degraded, freshness } = answer;
    const applied = freshness.seen_applied !== false && !degraded.includes("no live features");
    if (acted && applied) tiles.settleBut(acts.unsent);
    if (acted) acted.before ??= tiles.order; // asked for again, it is still that list that it moved
    const moves = acted ? movesOf(acted.before, items.map(({ item_id: id }) => String(id)), new Set([acted.key])) : null;
    tiles.show(answer, moves);
    shownAs = answer.request_id;
    row.removeAttribute("aria-busy");
    tell(degraded.length ? degraded.map(degradedSentence).join(" ") : items.length ? "" : `No ${noun} here yet.`);
    if (acted && applied) sayRenewed(acted.what, { ms: performance.now() - (acted.began ?? 0), inside: freshness.applied_in_ms, moves });
    else if (acted) sayWaits(acted.what);
    return applied;
  }

  /** @param {(Node | string)[]} words */
  function tell(...words) {
    note.replaceChildren(...words);
    note.hidden = !note.textContent;
    row.hidden = !tiles.order.length;
  }

  /** Ask for the list while none is shown. */
  function begin() {
    row.replaceChildren(...skeletons(8));
    row.hidden = false;
    note.hidden = true;
    load(current);
  }

  begin();
  return () => load(current);
}

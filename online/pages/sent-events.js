// Events that a person sends: their way into the features, and the renewed page; a status line reports the progress.

import { Unsure, postEvent } from "./api.js";
import { $, el } from "./dom.js";
import { movedWords } from "./rank-changes.js";
import { capital, spoken } from "./schema.js";
import { number } from "./format.js";

/**
 * What a list answers: an act of this page, or, without a token, a move that the stream told of.
 *   token, began, what, key  as `onSent` has them    before  keys of the list that it moved    compare  false: another list, nothing to compare
 * @typedef {{token?: string, began?: number, what?: string, key?: string, before?: string[], compare?: boolean}} Acted
 */

/** The line that says what an act did: screen readers are told, when they have a pause. `more`: smaller, how long it took inside. */
export function say(text, state = "", more = "") {
  const line = $("freshness");
  line.className = state;
  const small = more ? el("small", { title: "The log: Kafka has acknowledged it. Your features: what is known of you, readable in Redis." }, more) : null;
  if (line.textContent !== `${text} ${more}`.trim()) line.replaceChildren(...(small ? [text, " ", small] : [text]));
}

/**
 * A list was renewed. `what`: what the person did, or null for something elsewhere; `ms`: from the click to the list; `inside`: from the log
 * to the features, or null where it is not known; `moves`: see rank-changes.js; `more`: a sentence of the page's own.
 * @param {string | null | undefined} what
 * @param {{ms?: number, inside: number | null, moves?: import("./rank-changes.js").Moves | null, more?: string}} how
 */
export function sayRenewed(what, { ms = 0, inside, moves = null, more = "" }) {
  const renewed = what === null ? "Something you did elsewhere: your list was renewed." : `${what}: your list was renewed ${number(Math.round(ms))} ms later.`;
  say(`${renewed}${movedWords(moves)}${more}`, "applied", inside === null ? "" : `${number(inside)} ms${what === null ? "" : " of that"} from the log to your features`);
}

/** What was done is acknowledged, and not in the list yet. */
export const sayWaits = (what) => say(`${what}: it is kept, but not in your list yet. Asking again …`, "waits");

/** … and does not come. */
export const sayStuck = (what) => say(`${what}: it is kept, but nothing takes it in at the moment. Does the stream run? ./martlet status`, "failed");

/**
 * Sends events one after the other, as a person meant them, and offers to take the newest back.
 *
 * `onSent({token, began, what, key})` is called once the broker has an event, `onFailed(key)` where it could not be sent, `onIdle` once
 * nothing is on its way any more. `undo` is a button.
 */
export class Acts {
  /**
   * @param {HTMLElement} undo
   * @param {{onSent: (acted: Acted) => unknown, onFailed?: (key: string) => unknown, onIdle?: () => unknown, focus?: HTMLElement | null}} then
   */
  constructor(undo, { onSent, onFailed = () => {}, onIdle = () => {}, focus = null }) {
    this.unsent = new Set(); // keys of items whose event is not acknowledged yet
    this.busy = 0; // events on their way
    this.newest = 0; // when the newest act began: what an older one's list tells comes too late
    this.undo = undo;
    this.onSent = onSent;
    this.onFailed = onFailed;
    this.onIdle = onIdle;
    this.focus = focus; // takes the focus when the button that had it goes
    this.sending = Promise.resolve();
    /** @type {Map<string, {act: string, id: string}>} of a user and an item, the newest act that may have been kept, and its event's id */
    this.unsure = new Map();
    /** @type {any} what `undo` takes back: {id, title, event} */
    this.last = null;
    undo.addEventListener("click", () => this.#takeBack());
  }

  /**
   * `title`: the item's, for people; `key`: the item's; `did`: what the person did; `otherwise`: said in place of the fault where nobody
   * need know of one; `undoes`: what the event takes back, to be offered again if that fails.
   * @param {{key?: string, did?: string, otherwise?: string, undoes?: any}} how
   */
  send(event, title, how = {}) {
    const { key, did = didWhat(event, title), otherwise, undoes = null } = how;
    const began = (this.newest = performance.now());
    if (key !== undefined) this.unsent.add(key);
    this.busy++;
    say(`${did} …`);
    this.sending = this.sending.then(async () => {
      try {
        const posted = await this.#post(event);
        this.unsent.delete(key);
        this.#offer(undoes ? null : { id: posted.event_ids[0], title, event });
        this.onSent({ token: posted.seen, began, what: did, key });
      } catch (fault) {
        this.unsent.delete(key);
        if (key !== undefined) this.onFailed(key);
        if (undoes) this.#offer(undoes);
        if (otherwise === undefined) say(`${did}: ${fault instanceof Unsure ? "it may not have been kept." : "not sent."} ${fault.message}`, "failed");
        else say(otherwise);
      } finally {
        if (--this.busy === 0) this.onIdle();
      }
    });
  }

  /** What may have been kept and is done again goes under the id that it had. Once another act on that item is kept, it is a new one. */
  async #post({ request_id, position, ...act }) {
    const about = JSON.stringify([act.user_id, act.item_id ?? act.target]);
    const same = JSON.stringify(act);
    const held = this.unsure.get(about);
    try {
      const posted = await postEvent({ ...act, request_id, position, ...(held?.act === same ? { event_id: held.id } : {}) });
      this.unsure.delete(about);
      return posted;
    } catch (fault) {
      if (fault instanceof Unsure) this.unsure.set(about, { act: same, id: fault.eventId });
      throw fault;
    }
  }

  #takeBack() {
    const undoes = this.last;
    const { id, title, event } = undoes;
    this.#offer(null);
    this.focus?.focus({ preventScroll: true });
    this.send({ type: "undo", user_id: event.user_id, target: id, request_id: event.request_id }, title, { did: `You took back ${your(event, title)}`, undoes });
  }

  #offer(last) {
    this.last = last;
    this.undo.hidden = last === null;
    if (last) this.undo.setAttribute("aria-label", `Take back ${your(last.event, last.title)}`);
  }
}

const DID = { like: "liked", dislike: "disliked", click: "opened", view: "opened" };

/** What a person did, as a sentence's beginning: “You gave “Heat” 5 ★”; and as a thing: “your 5 ★ for “Heat””. */
function didWhat({ type, rating, value }, title) {
  if (rating !== undefined) return `You gave “${title}” ${rating} ★`;
  return DID[type] ? `You ${DID[type]} “${title}”` : `${capital(spoken(type))}${value === undefined ? "" : ` ${number(value)}`}: “${title}”`;
}
const your = ({ type, rating }, title) => (rating === undefined ? `your ${spoken(type)} of “${title}”` : `your ${rating} ★ for “${title}”`);

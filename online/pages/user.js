// The user page: who the user is, the recommended list, and a rating's way back into it.

import { onReturn, writeAddress } from "./address.js";
import { getModels, getRecommendations, getUser } from "./api.js";
import { Acts, say, sayRenewed, sayStuck, sayWaits } from "./sent-events.js";
import { Channels } from "./channels.js";
import { $, el } from "./dom.js";
import { showHistory } from "./history.js";
import { becomeUser, readId, typedInto, userPage } from "./me.js";
import { gain, movesOf } from "./rank-changes.js";
import { showProfile } from "./profile.js";
import { showSides } from "./compare.js";
import { follow } from "./stream.js";
import { showTastes } from "./taste.js";
import { Tiles } from "./tiles.js";
import { whenShown } from "./timing.js";
import { Why } from "./why.js";
import { invitation } from "./schema.js";
import { comesBack, degradedSentence, number, shownTitle } from "./format.js";

/** @typedef {import("./sent-events.js").Acted} Acted */

const SIZE = 20;
// While an event is not in the features, ask again: patient enough for a stream job that starts again.
const ASK_AGAIN_MS = 700;
const ASK_AGAIN = 25;
const DEGRADED_MS = 3000;
const DEGRADED_MOST_MS = 10_000;

/** All that this page remembers. */
const page = {
  // What the address says.
  userId: /** @type {string | null} */ (null),
  model: /** @type {string | null} */ (null),
  beside: /** @type {string | null} */ (null),
  // The list.
  asked: new AbortController(), // of the newest call for a list
  shownFor: /** @type {string | null} */ (null), // the models that the page shows lists of
  shownAs: /** @type {string | null} */ (null), // the request_id of the list that the tiles show: what is done about it names it
  newest: /** @type {number | null} */ (null), // how far the log is folded into the shown list
  soon: 0, // the timer that asks again for a list that misses something
  pause: DEGRADED_MS / 2, // how long it was set for
  // Turns: what an older one finds out is no news.
  userTurn: 0,
  renewal: 0,
  current: /** @type {Acted | null} */ (null), // the act that no list has answered yet
  // The stream.
  following: new AbortController(),
  told: 0, // the newest place in the log that the stream has told
  chased: 0, // the one that was last asked for after it had come too early
};
const tiles = new Tiles($("list"), act);
const why = new Why($("list"));
const channels = new Channels($("channels"), $("list"));
const acts = new Acts($("undo"), {
  focus: $("recommended"),
  onSent: ({ token, began, what }) => renew({ token, began, what }),
  onFailed: (key) => tiles.settle(key),
  onIdle: () => catchUp(),
});

typedInto($("go-id", HTMLInputElement));

// --- What the address says ------------------------------------------------------------------------------------------

function readAddress() {
  const asked = new URLSearchParams(location.search);
  const id = asked.get("id") ?? "";
  page.userId = readId(id);
  page.model = asked.get("model") || null;
  page.beside = asked.get("beside") || null;
  $("go-id", HTMLInputElement).value = id;
  return id;
}

/** The jump to another user takes the model along. */
function keepModel() {
  $("go-model", HTMLInputElement).value = page.model ?? "";
  $("go-model", HTMLInputElement).disabled = page.model === null;
}

// --- The models -----------------------------------------------------------------------------------------------------

async function loadModels() {
  try {
    const { models, default: usual } = await getModels();
    const names = models.map(({ name }) => name);
    const chosen = page.model ?? usual;
    const option = ({ name, version }) => el("option", { value: name }, `${name} · version ${version}`);
    const options = models.map(option);
    // What the address names stays visible, even if it does not rank: the list then says why.
    if (!names.includes(chosen)) options.unshift(el("option", { value: chosen }, `${chosen} · not ready`));
    $("model").replaceChildren(...options);
    $("model", HTMLSelectElement).value = chosen;
    $("model", HTMLSelectElement).disabled = false;
    $("beside").replaceChildren(el("option", { value: "" }, "no other"), ...models.map(option));
    if (page.beside && !names.includes(page.beside)) $("beside").append(el("option", { value: page.beside }, `${page.beside} · not ready`));
    $("beside", HTMLSelectElement).value = page.beside ?? "";
    $("beside", HTMLSelectElement).disabled = false;
  } catch {
    // The list's own error tells more; the switch stays as it is.
    if (page.model !== null) $("model").replaceChildren(el("option", { value: page.model }, page.model));
  }
}

/** The switch tells the version that made this list: a newer one may have come since it was filled. */
function showRanker({ model, model_version: version }) {
  const option = [...$("model", HTMLSelectElement).options].find(({ value }) => value === model);
  if (option) option.textContent = `${model} · version ${version}`;
}

// --- The user -------------------------------------------------------------------------------------------------------

async function loadUser() {
  const turn = ++page.userTurn;
  try {
    const user = await getUser(page.userId);
    if (turn !== page.userTurn) return;
    showProfile($("lead"), $("facts"), user);
    showTastes($("tastes"), $("all-tastes"), user.tastes);
    showHistory($("history"), user.history, user.now);
    $("no-tastes").hidden = Object.keys(user.tastes).length > 0;
    $("no-history").hidden = user.history.length > 0;
    $("profile").removeAttribute("aria-busy");
  } catch (fault) {
    if (turn === page.userTurn) $("lead").textContent = fault.message;
  }
}

// --- The list -------------------------------------------------------------------------------------------------------

const askedOf = () => `${page.model} ${page.beside}`;

/**
 * Get the list (two of them side by side) and show it. `acted`: what this answers, {token, began, what}, or null; without a
 * token it is a move that the stream told. The newest call wins: an older one's answer would show the past. Gives whether the
 * list answers it, "applied" or "waits"; null if it was overtaken or failed. A hidden page asks on return, as a list counts as shown.
 * @param {Acted | null} acted
 * @returns {Promise<"applied" | "waits" | null>}
 */
async function loadList(acted = null) {
  page.asked.abort();
  const mine = (page.asked = new AbortController());
  $("list").setAttribute("aria-busy", "true");
  try {
    await whenShown();
    if (mine.signal.aborted) return null;
    const asked = { user_id: page.userId, model: page.model, size: SIZE, seen: acted?.token, explain: 1 };
    const what = askedOf();
    if (page.shownFor !== what) acted &&= { ...acted, compare: false };
    const [answer, beside] = await Promise.all([
      getRecommendations(asked, mine.signal),
      page.beside ? getRecommendations({ ...asked, model: page.beside, explain: null }, mine.signal) : null,
    ]);
    if (mine.signal.aborted) return null;
    const applied = showList(answer, beside, acted);
    page.shownFor = what;
    catchUp();
    return applied ? "applied" : "waits";
  } catch (fault) {
    if (mine.signal.aborted) return null;
    showFault(fault, acted);
    return null;
  } finally {
    if (page.asked === mine) $("list").removeAttribute("aria-busy");
  }
}

/** Gives whether all that `acted` did is in the list. */
function showList(answer, beside, /** @type {Acted | null} */ acted) {
  $("fault").hidden = true;
  const { seen_applied: seen, applied_in_ms: ms } = answer.freshness;
  // The event may be in the features, but not in a list that could not read them.
  const applied = seen && !answer.degraded.includes("no live features");
  if (acted?.token && applied) tiles.settleBut(acts.unsent); // a newer list holds every act sent before it
  page.shownAs = answer.request_id;
  page.newest = answer.explain.user.n;
  const since = new Set(answer.explain.user.newest.map(({ item_id: id }) => String(id)));
  const compared = acted !== null && acted.compare !== false;
  const again = acted?.before !== undefined; // asked for again, an act has still moved the list that it was done in
  if (acted) acted.before ??= tiles.order;
  const moves = compared ? movesOf(acted.before ?? [], answer.items.map(({ item_id: id }) => String(id)), since) : null;
  why.close();
  tiles.show(answer, moves);
  // Now the list is in the page: this is what a click costs.
  const whole = acted?.began ? performance.now() - acted.began : 0;
  why.show(answer, moves, again);
  channels.show(answer.items);
  $("list").hidden = $("channels").hidden = beside !== null;
  $("sides").hidden = $("sides-said").hidden = beside === null;
  if (beside) showSides($("sides"), answer, beside);
  else $("sides").replaceChildren();
  $("empty").hidden = answer.items.length > 0;
  showRanker(answer);
  const degraded = [...new Set([...answer.degraded, ...(beside?.degraded ?? [])])];
  showDegraded(degraded);
  askAgainSoon(comesBack(degraded));
  sayOf(acted, applied, ms, whole, moves);
  return !acted?.token || applied;
}

function sayOf(acted, applied, inside, ms, moves) {
  if (!acted) {
    const invited = page.beside ? "These lists renew themselves." : `${invitation}: your list renews itself.`;
    say(invited, "", inside === null ? "" : `Your newest event took ${number(inside)} ms from the log to your features.`);
  } else if (acted.token === undefined) {
    // What moved nothing is no news.
    if ([...(moves?.values() ?? [])].some((move) => gain(move) !== 0)) sayRenewed(null, { inside, moves });
  } else if (applied) sayRenewed(acted.what, { ms, inside, moves });
  else sayWaits(acted.what);
}

/** A list that misses what comes back by itself is asked for again until it is whole, less and less often: each one counts as shown. */
function askAgainSoon(degraded) {
  clearTimeout(page.soon);
  page.pause = degraded ? Math.min(2 * page.pause, DEGRADED_MOST_MS) : DEGRADED_MS / 2;
  if (degraded) page.soon = setTimeout(() => page.current || acts.busy || renewNow(), page.pause);
}

function showDegraded(degraded) {
  const note = $("degraded");
  note.hidden = degraded.length === 0;
  note.textContent = degraded.map(degradedSentence).join(" ");
}

function showFault(fault, acted) {
  // A list that was there stays after a failed renewal, and is asked for again; of another model it would be a lie.
  if (page.shownFor === askedOf()) {
    page.current = null; // its effect is shown by a later list
    askAgainSoon(true);
  } else {
    page.shownFor = null;
    tiles.clear();
    channels.show([]);
    $("sides").hidden = $("sides-said").hidden = true;
    $("list").hidden = false;
  }
  $("empty").hidden = true;
  showDegraded([]);
  const [, text, command] = fault.message.match(/^(.*?)(\.\/martlet [\w. =-]+)?$/s);
  $("fault-text").textContent = text;
  $("fault-command").textContent = command ?? "";
  $("fault-command").hidden = !command;
  $("fault").hidden = false;
  tiles.settleBut(acts.unsent);
  say(acted?.token ? "It is kept, but the list could not be renewed." : "", "waits");
}

// --- An act: event → features → list ----------------------------------------------------------------------------------

function act(item, what) {
  const key = String(item.item_id);
  tiles.wait(key, what.rating ?? 0);
  const event = { type: what.type, user_id: page.userId, item_id: item.item_id };
  const position = tiles.order.indexOf(key);
  if (position >= 0) Object.assign(event, { request_id: page.shownAs, position });
  for (const name of ["rating", "value"]) if (what[name] !== undefined) event[name] = what[name];
  acts.send(event, shownTitle(item.title), { key });
}

/** Renew the page with what an event did; ask again while it is not applied, unless a newer event asks. */
async function renew(/** @type {Acted} */ acted) {
  const mine = ++page.renewal;
  page.current = acted;
  for (let times = 0; times < ASK_AGAIN; times++) {
    const shown = await loadList(acted);
    if (mine !== page.renewal) return;
    await loadUser();
    if (mine !== page.renewal) return;
    if (!shown) return; // "Try again" goes on from here
    if (shown === "applied") {
      page.current = null;
      catchUp();
      return;
    }
    await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
    if (mine !== page.renewal) return;
  }
  page.current = null; // the stream tells when it moves after all
  tiles.settleBut(acts.unsent);
  sayStuck(acted.what);
  catchUp();
}

// --- The stream: what happens elsewhere -------------------------------------------------------------------------------

function followUser() {
  page.following.abort();
  page.following = new AbortController();
  const url = `/v1/stream?${new URLSearchParams({ user_id: String(page.userId), lists: "0" })}`;
  follow(url, page.following.signal, onMove, (live) => ($("live").hidden = !live));
}

function onMove(name, { n }) {
  page.told = n ?? 0;
  // What the shown list knows, or an act of this page is about to show, is no news.
  if (name !== "move" || (n !== null && n === page.newest) || acts.busy || page.current || page.shownFor === null) return;
  showMove();
}

/** A move that was told while a list of before it, or an act, was under way is shown now: once, as a list may lag behind the stream. */
function catchUp() {
  if (page.newest === null || page.told <= page.newest || page.told === page.chased || page.current || acts.busy) return;
  page.chased = page.told;
  showMove();
}

function showMove() {
  loadUser();
  loadList({});
}

// --- Begin ------------------------------------------------------------------------------------------------------------

function begin() {
  const id = readAddress();
  keepModel();
  loadModels();
  if (page.userId === null) {
    $("lead").textContent = id ? `“${id}” is not a user id: 1 to 128 printable characters are expected.` : "Choose a user by id.";
    $("profile").removeAttribute("aria-busy");
    document.body.classList.add("nobody");
    $("go-id").focus();
    return;
  }
  becomeUser(page.userId);
  $("my-list", HTMLAnchorElement).href = $("alone", HTMLAnchorElement).href = userPage(page.userId);
  $("name").textContent = `User ${page.userId}`;
  document.title = `User ${page.userId} · Martlet`;
  if (!tiles.order.length) tiles.showSkeleton(8);
  renewNow();
  followUser();
}

/** An act that waits for its list goes on waiting. */
function renewNow() {
  if (page.current) {
    renew(page.current);
  } else {
    loadUser();
    loadList();
  }
}

for (const name of ["model", "beside"]) {
  $(name).addEventListener("change", () => {
    const { value } = $(name, HTMLSelectElement);
    writeAddress({ [name]: value });
    page[name] = value || null;
    keepModel();
    renewNow();
  });
}
$("retry").addEventListener("click", () => {
  $("fault").hidden = true;
  if (!tiles.order.length) tiles.showSkeleton(8);
  loadModels();
  renewNow();
});
onReturn(begin);
begin();

// The user page: who the user is, the recommended list, and a rating's way back into it.

import { getModels, getRecommendations, getUser, postEvent } from "./api.js";
import { el } from "./dom.js";
import { showHistory } from "./history.js";
import { showProfile } from "./profile.js";
import { showTastes } from "./taste.js";
import { Tiles } from "./tiles.js";
import { degradedSentence, number, shownTitle } from "./words.js";

const SIZE = 20;
// While an event is not in the features, ask again: patient enough for a stream job that starts again.
const ASK_AGAIN_MS = 700;
const ASK_AGAIN = 25;

const $ = (id) => document.getElementById(id);
const page = { userId: null, model: null };
const tiles = new Tiles($("list"), act);

// --- What the address says ------------------------------------------------------------------------------------------

function readAddress() {
  const asked = new URLSearchParams(location.search);
  const id = (asked.get("id") ?? "").trim();
  page.userId = /^\d{1,19}$/.test(id) ? String(BigInt(id)) : null; // an id can be more than a JavaScript number holds
  page.model = asked.get("model") || null;
  $("go-id").value = id;
  return id;
}

function writeModel(model) {
  const address = new URL(location.href);
  address.searchParams.set("model", model);
  history.pushState(null, "", address);
  page.model = model;
  keepModel();
}

/** The jump to another user takes the model along. */
function keepModel() {
  $("go-model").value = page.model ?? "";
  $("go-model").disabled = page.model === null;
}

// --- The models -----------------------------------------------------------------------------------------------------

async function loadModels() {
  try {
    const { models, default: usual } = await getModels();
    const names = models.map(({ name }) => name);
    const chosen = page.model ?? usual;
    const options = models.map(({ name, version }) => el("option", { value: name }, `${name} · version ${version}`));
    // What the address names stays visible, even if it does not rank: the list then says why.
    if (!names.includes(chosen)) options.unshift(el("option", { value: chosen }, `${chosen} · not ready`));
    $("model").replaceChildren(...options);
    $("model").value = chosen;
    $("model").disabled = false;
  } catch {
    // The list's own error tells more; the switch stays as it is.
    if (page.model !== null) $("model").replaceChildren(el("option", { value: page.model }, page.model));
  }
}

/** The switch tells the version that made this list: a newer one may have come since it was filled. */
function showRanker({ model, model_version: version }) {
  const option = [...$("model").options].find(({ value }) => value === model);
  if (option) option.textContent = `${model} · version ${version}`;
}

// --- The user -------------------------------------------------------------------------------------------------------

let userTurn = 0;

async function loadUser() {
  const turn = ++userTurn;
  try {
    const user = await getUser(page.userId);
    if (turn !== userTurn) return;
    showProfile($("lead"), $("facts"), user);
    showTastes($("tastes"), user.tastes);
    showHistory($("history"), user.history, user.now);
    $("no-tastes").hidden = Object.keys(user.tastes).length > 0;
    $("no-history").hidden = user.history.length > 0;
    $("profile").removeAttribute("aria-busy");
  } catch (fault) {
    if (turn === userTurn) $("lead").textContent = fault.message;
  }
}

// --- The list -------------------------------------------------------------------------------------------------------

let list = new AbortController();
let shownFor = null; // the model that the tiles were asked of
let shownAs = null; // the request_id of the list that the tiles show: what is done about it names it

/**
 * Get the list and show it. `acted`: the act that this answers, {token, began, what}, or null. The newest call wins:
 * an older one's answer would show the past. Gives false if it was overtaken or failed.
 */
async function loadList(acted = null) {
  list.abort();
  const mine = (list = new AbortController());
  $("list").setAttribute("aria-busy", "true");
  try {
    const asked = { user_id: page.userId, model: page.model, size: SIZE, seen: acted?.token };
    if (shownFor !== page.model) acted &&= { ...acted, compare: false };
    const answer = await getRecommendations(asked, mine.signal);
    if (mine.signal.aborted) return false;
    showList(answer, acted);
    shownFor = page.model;
    return true;
  } catch (fault) {
    if (mine.signal.aborted) return false;
    showFault(fault, acted);
    return false;
  } finally {
    if (list === mine) $("list").removeAttribute("aria-busy");
  }
}

function showList(answer, acted) {
  $("fault").hidden = true;
  const { seen_applied: applied, applied_in_ms: ms } = answer.freshness;
  if (acted && applied !== false) settleAll();
  shownAs = answer.request_id;
  tiles.show(answer.items, { compare: acted !== null && acted.compare !== false });
  // Now the list is in the page: this is what a click costs.
  const whole = acted ? performance.now() - acted.began : 0;
  $("empty").hidden = answer.items.length > 0;
  showRanker(answer);
  showDegraded(answer.degraded);
  if (!acted) {
    say(ms === null ? "Rate a film: the list renews itself with it." : `Newest event applied ${number(ms)} ms after the broker's acknowledgement.`);
  } else if (applied === false) {
    say(`Not applied yet: ${acted.what} is in the log, but not in the features. Asking again …`, "waits");
  } else {
    const features = ms === null ? "" : `${number(ms)} ms from the broker's acknowledgement to your features; `;
    say(`Applied: ${features}${number(Math.round(whole))} ms from your click to this list.`, "applied");
  }
}

/** A newer list holds every act sent before it. */
function settleAll() {
  for (const key of [...tiles.waiting.keys()]) if (!unsent.has(key)) tiles.settle(key);
}

function showDegraded(degraded) {
  const note = $("degraded");
  note.hidden = degraded.length === 0;
  note.replaceChildren(el("strong", {}, "A degraded list. "), degraded.map(degradedSentence).join(" "));
}

function showFault(fault, acted) {
  // A list that was there stays after a failed renewal; of another model or user it would be a lie.
  if (!acted || shownFor !== page.model) tiles.clear();
  $("empty").hidden = true;
  showDegraded([]);
  const [, text, command] = fault.message.match(/^(.*?)(\.\/martlet [\w. =-]+)?$/s);
  $("fault-text").textContent = text;
  $("fault-command").textContent = command ?? "";
  $("fault-command").hidden = !command;
  $("fault").hidden = false;
  say(acted ? "Sent, but the list could not be renewed." : "", "waits");
}

/** The freshness line: screen readers are told, when they have a pause. */
function say(text, state = "") {
  const line = $("freshness");
  line.className = state;
  if (line.textContent !== text) line.textContent = text;
}

// --- An act: event → features → list ----------------------------------------------------------------------------------

const unsent = new Set(); // keys of items whose event is not acknowledged yet
let sending = Promise.resolve();
let undoable = null; // the event that "Take back" takes back

/** `what`: {type: "rating", rating}, {type: "like"} or {type: "dislike"}. */
function act(item, what) {
  const began = performance.now();
  const key = String(item.item_id);
  const title = shownTitle(item.title);
  tiles.wait(key, what.rating ?? 0);
  unsent.add(key);
  const event = { type: what.type, user_id: page.userId, item_id: item.item_id };
  const position = tiles.order.indexOf(key);
  if (position >= 0) Object.assign(event, { request_id: shownAs, position });
  if (what.rating !== undefined) event.rating = what.rating;
  const did = what.rating === undefined ? `your ${what.type} of “${title}”` : `${what.rating} ★ for “${title}”`;
  send(event, did, began, key);
}

function takeBack() {
  const { id, did, request } = undoable;
  offerUndo(null);
  $("recommended").focus({ preventScroll: true }); // the button that had the focus is gone
  send({ type: "undo", user_id: page.userId, target: id, request_id: request }, `taking back ${did}`, performance.now());
}

/** One event after the other, as a person meant them; the lists that answer them may overtake each other. */
function send(event, did, began, key) {
  say(`Sending ${did} …`);
  sending = sending.then(async () => {
    try {
      const posted = await postEvent(event);
      unsent.delete(key);
      offerUndo(event.type === "undo" ? null : { id: posted.event_ids[0], did, request: event.request_id });
      renew({ token: posted.seen, began, what: did });
    } catch (fault) {
      unsent.delete(key);
      if (key !== undefined) tiles.settle(key);
      say(`Not sent: ${did}. ${fault.message}`, "failed");
    }
  });
}

let renewal = 0;
let current = null; // the act that no list has answered yet

/** Renew the page with what an event did; ask again while it is not applied, unless a newer event asks. */
async function renew(acted) {
  const mine = ++renewal;
  current = acted;
  for (let times = 0; times < ASK_AGAIN; times++) {
    const shown = await loadList(acted);
    if (mine !== renewal) return;
    await loadUser();
    if (mine !== renewal) return;
    if (!shown) return; // "Try again" goes on from here
    if (!$("freshness").classList.contains("waits")) {
      current = null;
      return;
    }
    await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
    if (mine !== renewal) return;
  }
  say(`Not applied: ${acted.what} is in the log, but the features stand still. Does the stream run? ./martlet status`, "failed");
}

function offerUndo(event) {
  undoable = event;
  $("undo").hidden = event === null;
  if (event) $("undo").setAttribute("aria-label", `Take back ${event.did}`);
}

// --- Begin ------------------------------------------------------------------------------------------------------------

function begin() {
  const id = readAddress();
  keepModel();
  loadModels();
  renewal++;
  if (page.userId === null) {
    $("lead").textContent = id ? `“${id}” is not a user id: a whole number from 0 on is expected.` : "Choose a user by id, above.";
    $("profile").removeAttribute("aria-busy");
    document.body.classList.add("nobody");
    $("go-id").focus();
    return;
  }
  $("name").textContent = `User ${page.userId}`;
  document.title = `User ${page.userId} · Martlet`;
  if (!tiles.order.length) tiles.showSkeleton(8);
  loadUser();
  loadList();
}

$("model").addEventListener("change", () => {
  writeModel($("model").value);
  if (current) renew(current);
  else loadList();
});
$("retry").addEventListener("click", () => {
  $("fault").hidden = true;
  if (!tiles.order.length) tiles.showSkeleton(8);
  loadModels();
  if (current) {
    renew(current);
  } else {
    loadUser();
    loadList();
  }
});
$("undo").addEventListener("click", takeBack);
addEventListener("popstate", begin);
begin();

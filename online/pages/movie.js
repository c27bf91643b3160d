// An item (a film, a product): what it is, its live counters, what the user one plays can do with it, and items like it by each kind of
// weight.

import { getItem, getRecommendations, getSimilar } from "./api.js";
import { Acts, say, sayRenewed } from "./sent-events.js";
import { buttonsOf, ignoreDoubleClicks, starsOf, thumbsOf } from "./acts.js";
import { facetPage, poster, skeletons } from "./cards.js";
import { $, childrenOf, el, focused } from "./dom.js";
import { paint } from "./posters.js";
import { player, readId, userPage } from "./me.js";
import { facets, invitation, knows, noun, nouns, priceOf, rates, schema, spoken, valuesOf, yearOf } from "./schema.js";
import { showStars } from "./stars.js";
import { every } from "./timing.js";
import { date, number, shownTitle } from "./format.js";

const SIZE = 18;
const PREVIEW = 3;
const LOOK_MS = 2000;
const SOON_MS = 250;
const KIND = {
  similar: ["Liked together", "Liked by the same people, by cosine over the history."],
  ease: ["EASE", "What a linear model of the whole history (EASE) finds beside it."],
  together: ["Right now", "Liked close together in time, counted live by the stream."],
  als: ["ALS", "Neighbours by the factors of alternating least squares."],
  item2vec: ["Item2vec", `Neighbours by Item2vec: ${nouns} as words, histories as sentences.`],
  deepwalk: ["DeepWalk", `Neighbours by DeepWalk: random walks from ${noun} to ${noun}.`],
  twotower: ["Two towers", "Neighbours by the item tower of the two-tower model."],
};

const asked = new URLSearchParams(location.search);
const itemId = readId(asked.get("movieId"));
const user = player();
// The list that led here, if any: what is done here answers it.
const from = asked.get("list") ? { request_id: asked.get("list"), position: Number(asked.get("at")) || 0 } : {};
const invited = `${rates ? "Rate it" : invitation}: your list renews itself.`;
let title = `this ${noun}`;

// --- The item and its counters ---------------------------------------------------------------------------------------------

const shown = new Map();

function showCounters(item) {
  const { ratings, mean_rating: mean, positives, events, popularity, rating_spread: spread } = item;
  const round = (value, places = 2) => (value === null ? "none" : value.toFixed(places));
  const rows = [
    ...(rates ? [["Ratings", number(ratings)], ["Mean of 5", mean === null ? "none" : `★ ${round(mean)}`]] : []),
    [schema.noun === "film" ? "Likes, or 4 ★ and more" : "Acts in its favour", number(positives)],
    ["All events", number(events)],
    ["Popularity, a day", round(popularity.day)],
    ["Popularity, weeks", round(popularity.weeks, 1)],
    ...(rates ? [["Spread of ratings", spread === null ? "none" : `± ${round(spread)}`]] : []),
  ];
  if (!$("counters").children.length) $("counters").append(...rows.map(([name]) => el("div", {}, el("dt", {}, name), el("dd", {}, ""))));
  rows.forEach(([name, value], at) => {
    if (shown.get(name) === value) return;
    const dd = /** @type {HTMLElement} */ ($("counters").children[at].lastElementChild);
    dd.textContent = value;
    dd.classList.remove("moved");
    // What fades by itself all the time is no news.
    if (shown.has(name) && !name.startsWith("Popularity")) requestAnimationFrame(() => dd.classList.add("moved"));
    shown.set(name, value);
  });
}

async function look() {
  const item = await getItem(itemId);
  if (!shown.size) showItem(item);
  showCounters(item);
}

function showItem(item) {
  title = shownTitle(item.title);
  document.title = `${title} · Martlet`;
  $("title").textContent = title;
  paint($("face"), item);
  const price = priceOf(item);
  $("lead").replaceChildren(
    ...(schema.era === null ? [] : [el("span", {}, String(yearOf(item) ?? "year unknown"))]),
    ...(price === null ? [] : [el("span", {}, `price ${number(price)}`)]),
    ...facets.flatMap((facet) => valuesOf(item, facet).map((value) => el("a", { href: facetPage(facet, value), title: facet === schema.labels ? null : spoken(facet) }, value))),
    ...(item.first_event_ts ? [el("span", {}, `first event ${date(item.first_event_ts).split(",")[0]}`)] : []),
  );
  $("player").textContent = `user ${user}`;
  $("player", HTMLAnchorElement).href = $("to-list", HTMLAnchorElement).href = userPage(user);
  for (const each of [starsOf(title, itemId, act), thumbsOf(title, act)]) if (each) $("acts").append(each);
  const others = buttonsOf(title, act);
  if (others) $("acts").after(others);
  ignoreDoubleClicks(/** @type {HTMLElement} */ ($("acts").parentElement));
  if (!rates) $("rate-name").textContent = `What to do with this ${noun}`;
  $("film").removeAttribute("aria-busy");
  if (from.request_id) opened();
  else say(invited);
}

/** Who comes here out of a list has clicked on it: that is an event, once, and not again when the page is loaded anew. A home without
 *  clicks may know views. It is a trace and no act: who may not leave one is not told. */
function opened() {
  const address = new URL(location.href);
  for (const name of ["list", "at"]) address.searchParams.delete(name);
  history.replaceState(null, "", address);
  const type = ["click", "view"].find(knows);
  if (type) acts.send({ type, user_id: user, item_id: itemId, ...from }, title, { otherwise: invited });
}

// --- An act ------------------------------------------------------------------------------------------------------------------

const showGiven = (stars) => showStars($("acts").querySelector(".stars"), stars ?? 0);

const acts = new Acts($("undo"), {
  focus: $("title"),
  onIdle: () => showGiven(acts.last?.event.rating), // not what was taken back or could not be sent
  // What is told of the list is what is asked for: its first films, which are named here.
  onSent: async (acted) => {
    const answer = await getRecommendations({ user_id: user, size: PREVIEW, seen: acted.token }).catch(() => null);
    if (acted.began === acts.newest) tellSent(acted, answer);
    $("to-list").hidden = false;
    for (let times = 0; times < 6; times++) {
      await new Promise((done) => setTimeout(done, SOON_MS));
      await look().catch(() => {});
    }
  },
});

/**
 * `answer`: the list that was made after it, null where none came.
 * @param {import("./sent-events.js").Acted} acted
 * @param {any} answer
 */
function tellSent({ what, began }, answer) {
  if (!answer) return say(`${what}: it is kept.`, "waits");
  const { items, freshness } = answer;
  const first = items.map((item) => shownTitle(item.title)).join(", ");
  if (freshness.seen_applied === false) say(`${what}: it is kept, and on its way into your list.`, "waits");
  else sayRenewed(what, { ms: performance.now() - (began ?? 0), inside: freshness.applied_in_ms, more: first && ` It begins with ${first}.` });
}

function act(what) {
  showGiven(what.rating);
  /** @type {any} */
  const event = { type: what.type, user_id: user, item_id: itemId, ...from };
  for (const name of ["rating", "value"]) if (what[name] !== undefined) event[name] = what[name];
  acts.send(event, title);
}

// --- Items like it -------------------------------------------------------------------------------------------------------------

let kind = asked.get("by");
let turn = new AbortController();
let nearFailed = false; // by what may pass

async function loadNear(by) {
  turn.abort();
  const mine = (turn = new AbortController());
  const near = $("near");
  near.setAttribute("aria-busy", "true");
  if (!near.children.length && !nearFailed) near.replaceChildren(...skeletons(6));
  try {
    const answer = await getSimilar(itemId, by, SIZE, mine.signal);
    if (mine.signal.aborted) return;
    kind = answer.by;
    nearFailed = false;
    showKinds(answer.kinds ?? [kind]);
    const most = Math.max(...answer.similar.map(({ weight }) => weight), 1e-9);
    near.replaceChildren(
      ...answer.similar.map((item) => {
        const bar = el("span.weight", { role: "img", "aria-label": `weight ${item.weight}`, title: `weight ${item.weight}` });
        bar.style.setProperty("--share", String(Math.max(0, item.weight / most)));
        return poster(item, { note: bar, more: asked.has("user") ? { user } : {} });
      }),
    );
    $("kind-words").textContent = answer.similar.length ? (KIND[kind]?.[1] ?? "") : kind === "together" ? `Nobody has liked it close to another ${noun} since the stream began.` : "Too little is known of it.";
  } catch (fault) {
    if (mine.signal.aborted) return;
    near.replaceChildren();
    $("kind-words").textContent = fault.message;
    nearFailed = [0, 429].includes(fault.status) || fault.status >= 500;
  } finally {
    if (turn === mine) near.removeAttribute("aria-busy");
  }
}

function showKinds(kinds) {
  if ($("kinds").children.length !== kinds.length) {
    $("kinds").replaceChildren(
      ...kinds.map((name) => {
        const tab = el("button", { type: "button", role: "tab", id: `kind-${name}`, "aria-controls": "panel", onclick: () => loadNear(name) }, KIND[name]?.[0] ?? name);
        tab.dataset.kind = name;
        return tab;
      }),
    );
  }
  for (const tab of childrenOf($("kinds"))) {
    const chosen = tab.dataset.kind === kind;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) $("panel").setAttribute("aria-labelledby", tab.id);
  }
}

$("kinds").addEventListener("keydown", (press) => {
  const tabs = childrenOf($("kinds"));
  const step = { ArrowRight: 1, ArrowLeft: -1 }[press.key];
  if (!step) return;
  press.preventDefault();
  const next = tabs[(tabs.indexOf(/** @type {HTMLElement} */ (focused())) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
});

// --- Begin -----------------------------------------------------------------------------------------------------------------

/** What is wrong, "" for nothing. An item that was never shown leaves its place to that. */
function showFault(text) {
  $("fault").textContent = text;
  $("fault").hidden = !text;
  $("film").hidden = $("similar").hidden = Boolean(text) && !shown.size;
}

if (itemId === null) {
  showFault(`“${asked.get("movieId") ?? ""}” is not ${noun === "film" ? "a film" : "an item"}'s id: 1 to 128 printable characters are expected.`);
} else {
  loadNear(kind);
  every(LOOK_MS, async () => {
    try {
      await look();
      // What failed together with the item is asked for again with it.
      if (nearFailed || (!$("fault").hidden && !$("near").children.length)) loadNear(kind);
      showFault("");
    } catch (fault) {
      showFault(fault.message);
    }
  });
}

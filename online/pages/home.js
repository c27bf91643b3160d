// The first page: what this is, its pulse, what it would show you, what is trending, and rows by label: with films, by genre.

import { getFacet, getItems, getOps } from "./api.js";
import { facetPage, poster, skeletons, stars } from "./cards.js";
import { $, el, withRetry } from "./dom.js";
import { becomeUser, me, readId, typedInto, userPage } from "./me.js";
import { showMine } from "./my-list.js";
import { pulseOf } from "./pulse.js";
import { makeRail } from "./rails.js";
import { invitation, noun, nouns, rates, schema } from "./schema.js";
import { every } from "./timing.js";
import { count } from "./format.js";

const SIZE = 14;
const GENRES = 10;
const PULSE_MS = 4000;

// "Change" comes back here with ?id=: it is kept in the browser, not in the address.
const wanted = readId(new URLSearchParams(location.search).get("id"));
if (wanted !== null) {
  becomeUser(wanted);
  history.replaceState(null, "", "/");
}
const user = wanted ?? me();

if (!rates) $("try-it").textContent = `Try it: ${invitation.toLowerCase()} below.`;
$("known").hidden = schema.noun !== "film"; // users of MovieLens

$("id", HTMLInputElement).value = user;
typedInto($("id", HTMLInputElement));
$("new", HTMLAnchorElement).href = `/?id=${1_000_000 + Math.floor(Math.random() * 9_000_000)}`;
$("for-you-name").textContent = `Your list, user ${user}`;
$("for-you-all", HTMLAnchorElement).href = $("my-list", HTMLAnchorElement).href = userPage(user);

/** Fill a row; what goes wrong stands in its place, until it is tried again. */
async function fill(section, ask, make, row = section.querySelector(".row")) {
  row.replaceChildren(...skeletons(8));
  try {
    const items = await ask();
    row.replaceChildren(...items.map(make));
    if (!items.length) row.replaceWith(el("p.soft", {}, `No ${noun} here yet.`));
  } catch (fault) {
    const again = () => {
      note.replaceWith(row);
      fill(section, ask, make, row);
    };
    const note = el("p.note.bad", { role: "alert" }, ...withRetry(fault, again));
    row.replaceWith(note);
  }
  row.removeAttribute("aria-busy");
}

const renewMine = showMine($("for-you"), user, SIZE);
// Back brings this page as it was left: something may have been done since, or another user be played.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  if (me() === user) renewMine();
  else location.reload();
});
makeRail($("for-you"));
makeRail($("trending"));
fill($("trending"), async () => (await getItems({ sort: "trending", limit: SIZE })).items, (item) => poster(item, { note: stars(item) }));

// --- Rows by label: each is asked for when it comes near -----------------------------------------------------------------

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      near.unobserve(target);
      const { genre } = target.dataset;
      fill(target, async () => (await getItems({ facet: `${schema.labels}:${genre}`, sort: "popular", limit: SIZE })).items, (item) => poster(item, { note: stars(item), genre }));
    }
  },
  { rootMargin: "300px" },
);

async function rowsByLabel() {
  $("genres-fault").hidden = true;
  try {
    const labels = schema.labels ?? "";
    const { values } = labels ? await getFacet(labels, GENRES) : { values: [] };
    for (const { name, items } of values) {
      const section = el(
        "section", { "aria-label": name },
        el("div.row-head", {}, el("h2", {}, name), el("span.soft", {}, count(items, noun, nouns)), el("a", { href: facetPage(labels, name), "aria-label": `All ${name} ${nouns}` }, "All")),
        el("ol.row", { "aria-busy": "true" }, ...skeletons(8)),
      );
      section.dataset.genre = name;
      $("genres").append(section);
      makeRail(section);
      near.observe(section);
    }
  } catch (fault) {
    $("genres-fault").replaceChildren(...withRetry(fault, rowsByLabel));
    $("genres-fault").hidden = false;
  }
}

rowsByLabel();

// --- The pulse ------------------------------------------------------------------------------------------------------------

every(PULSE_MS, async () => {
  /** @type {any} */
  let pulse;
  try {
    pulse = pulseOf(await getOps());
  } catch (fault) {
    pulse = { state: "ill", word: fault.message };
  }
  $("pulse").className = `pulse card ${pulse.state}`;
  $("pulse-word").textContent = pulse.word;
  for (const part of ["read", "fresh", "pending", "models"]) $(`pulse-${part}`).textContent = pulse[part] ?? "–";
});

// Items of one value of a facet (films of a genre), decade or search, in an order; what is chosen stands in the address.

import { onReturn, writeAddress } from "./address.js";
import { getFacet, getItems } from "./api.js";
import { facetPage, poster, skeletons, stars } from "./cards.js";
import { $, childrenOf, el, withRetry } from "./dom.js";
import { capital, facets, noun, nouns, rates, schema, spoken } from "./schema.js";
import { count, number } from "./format.js";

const SIZE = 36;
const PILLS = 40;
const DECADES = [2020, 2010, 2000, 1990, 1980, 1970, 1960, 1950, 1940, 1930, 1920];

/** @type {{facet: string | null, value: string | null, q: string | null, sort: string, decade: string}} */
const choice = { facet: null, value: null, q: null, sort: "popular", decade: "" };
let turn = new AbortController();

// Where items have no year there are no decades, and without stars nothing is rated best.
$("decade").hidden = $("decade-label").hidden = schema.era === null;
const option = (name) => $("sort", HTMLSelectElement).querySelector(`[value=${name}]`);
if (!rates) option("rating")?.remove();
if (schema.era === null) option("newest")?.replaceChildren("newest");
$("decade").append(...DECADES.map((decade) => el("option", { value: decade }, `${decade}s`)));

function readAddress() {
  const asked = new URLSearchParams(location.search);
  const of = (select, given) => ([...$(select, HTMLSelectElement).options].some(({ value }) => value === given) ? given : "");
  const type = asked.get("type");
  choice.facet = type === "genre" && !facets.includes(type) ? schema.labels : type; // "genre" stands for the labels
  choice.value = choice.facet === null ? null : asked.get("value");
  choice.q = asked.get("q");
  choice.sort = of("sort", asked.get("sort")) || "popular";
  choice.decade = of("decade", asked.get("decade"));
  $("sort", HTMLSelectElement).value = choice.sort;
  $("decade", HTMLSelectElement).value = choice.decade;
  $("search", HTMLInputElement).value = choice.q ?? "";
  const name = choice.value ?? (choice.q ? `“${choice.q}”` : `All ${nouns}`);
  $("name").textContent = name;
  document.title = `${name} · Martlet`;
  for (const pill of childrenOf($("genres"))) pill.toggleAttribute("aria-current", pill.dataset.value === (choice.value ?? ""));
}

async function load(cursor = null) {
  turn.abort();
  const mine = (turn = new AbortController());
  const films = $("films");
  films.setAttribute("aria-busy", "true");
  $("fault").hidden = $("empty").hidden = true;
  $("more", HTMLButtonElement).disabled = true;
  if (cursor === null) {
    films.replaceChildren(...skeletons(12));
    $("said").textContent = "";
  }
  if (!$("genres").children.length) showPills();
  try {
    const { facet, value, ...rest } = choice;
    const { items, next } = await getItems({ facet: value === null ? null : `${facet}:${value}`, ...rest, limit: SIZE, cursor }, mine.signal);
    if (mine.signal.aborted) return;
    const before = cursor === null ? 0 : films.children.length;
    const tiles = items.map((item) => poster(item, { note: stars(item), genre: choice.facet === schema.labels ? choice.value : null }));
    if (cursor === null) films.replaceChildren(...tiles);
    else films.append(...tiles);
    if (before) tiles[0]?.querySelector("a").focus();
    $("more").hidden = next === null;
    $("more").onclick = () => load(next);
    const shown = before + items.length;
    $("said").textContent = shown ? `${number(shown)}${next === null ? "" : " shown, more below"}` : "";
    $("empty").hidden = shown > 0;
    $("empty").textContent = choice.q ? `No title has words that begin with “${choice.q}”.` : `No ${noun} of this kind.`;
  } catch (fault) {
    if (mine.signal.aborted) return;
    if (cursor === null) {
      films.replaceChildren();
      $("more").hidden = true; // what it leads to is of another choice
      $("fault").replaceChildren(...withRetry(fault, () => load()));
    } else $("fault").textContent = fault.message; // "More" asks again
    $("fault").hidden = false;
  } finally {
    if (turn === mine) {
      films.removeAttribute("aria-busy");
      $("more", HTMLButtonElement).disabled = false;
    }
  }
}

/** The values of a facet, as links. A load asks for them while there are none: where that fails, the list's own error tells more. */
async function showPills() {
  const facet = choice.facet ?? schema.labels;
  if (facet === null) return;
  const pill = (value, text, href, title) => {
    const link = el("a.pill", { href, title, "aria-current": value === (choice.value ?? "") && !(value === "" && choice.q) ? "page" : null }, text);
    link.dataset.value = value;
    return link;
  };
  try {
    const { values } = await getFacet(facet, PILLS);
    const byName = values.sort((one, other) => (one.name < other.name ? -1 : 1));
    $("genres").setAttribute("aria-label", capital(spoken(facet)));
    $("genres").replaceChildren(pill("", "All", "/collection.html"), ...byName.map(({ name, items }) => pill(name, name, facetPage(facet, name), count(items, noun, nouns))));
  } catch {
    // The next load tries again.
  }
}

function begin() {
  readAddress();
  load();
}

$("choice").addEventListener("change", () => {
  writeAddress({ sort: $("sort", HTMLSelectElement).value, decade: $("decade", HTMLSelectElement).value });
  begin();
});
$("choice").addEventListener("submit", (submit) => submit.preventDefault());
onReturn(begin);
begin();

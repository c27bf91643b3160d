// Films of one genre, decade or search, in an order; what is chosen stands in the address.

import { getGenres, getItems } from "./api.js";
import { genrePage, poster, skeletons, stars } from "./cards.js";
import { $, childrenOf, el } from "./dom.js";
import { count, number } from "./format.js";

const SIZE = 36;
const DECADES = [2020, 2010, 2000, 1990, 1980, 1970, 1960, 1950, 1940, 1930, 1920];

/** @type {{genre: string | null, q: string | null, sort: string, decade: string}} */
const choice = { genre: null, q: null, sort: "popular", decade: "" };
let turn = new AbortController();

$("decade").append(...DECADES.map((decade) => el("option", { value: decade }, `${decade}s`)));

function readAddress() {
  const asked = new URLSearchParams(location.search);
  const of = (select, given) => ([...$(select, HTMLSelectElement).options].some(({ value }) => value === given) ? given : "");
  choice.genre = asked.get("type") === "genre" ? asked.get("value") : null;
  choice.q = asked.get("q");
  choice.sort = of("sort", asked.get("sort")) || "popular";
  choice.decade = of("decade", asked.get("decade"));
  $("sort", HTMLSelectElement).value = choice.sort;
  $("decade", HTMLSelectElement).value = choice.decade;
  $("search", HTMLInputElement).value = choice.q ?? "";
  const name = choice.genre ?? (choice.q ? `“${choice.q}”` : "All films");
  $("name").textContent = name;
  document.title = `${name} · Martlet`;
  for (const pill of childrenOf($("genres"))) pill.toggleAttribute("aria-current", pill.dataset.genre === (choice.genre ?? ""));
}

async function load(cursor = null) {
  turn.abort();
  const mine = (turn = new AbortController());
  const films = $("films");
  films.setAttribute("aria-busy", "true");
  $("fault").hidden = $("empty").hidden = true;
  $("more", HTMLButtonElement).disabled = true;
  if (cursor === null) films.replaceChildren(...skeletons(12));
  try {
    const { items, next } = await getItems({ ...choice, limit: SIZE, cursor }, mine.signal);
    if (mine.signal.aborted) return;
    const before = cursor === null ? 0 : films.children.length;
    const tiles = items.map((item) => poster(item, { note: stars(item), genre: choice.genre }));
    if (cursor === null) films.replaceChildren(...tiles);
    else films.append(...tiles);
    if (before) tiles[0]?.querySelector("a").focus();
    $("more").hidden = next === null;
    $("more").onclick = () => load(next);
    const shown = before + items.length;
    $("said").textContent = shown ? `${number(shown)}${next === null ? "" : " shown, more below"}` : "";
    $("empty").hidden = shown > 0;
    $("empty").textContent = choice.q ? `No title has words that begin with “${choice.q}”.` : "No film of this genre and decade.";
  } catch (fault) {
    if (mine.signal.aborted) return;
    if (cursor === null) films.replaceChildren();
    $("fault").textContent = fault.message;
    $("fault").hidden = false;
  } finally {
    if (turn === mine) {
      films.removeAttribute("aria-busy");
      $("more", HTMLButtonElement).disabled = false;
    }
  }
}

function begin() {
  readAddress();
  load();
}

$("choice").addEventListener("change", () => {
  const address = new URL(location.href);
  for (const name of ["sort", "decade"]) {
    const { value } = $(name, HTMLSelectElement);
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.pushState(null, "", address);
  begin();
});
$("choice").addEventListener("submit", (submit) => submit.preventDefault());
addEventListener("popstate", begin);
begin();

try {
  const { genres } = await getGenres();
  const pill = (genre, text, href, title) => {
    const link = el("a.pill", { href, title, "aria-current": genre === (choice.genre ?? "") && !(genre === "" && choice.q) ? "page" : null }, text);
    link.dataset.genre = genre;
    return link;
  };
  $("genres").append(pill("", "All", "/collection.html"), ...genres.map(({ name, items }) => pill(name, name, genrePage(name), count(items, "film"))));
} catch {
  // The list's own error tells more.
}

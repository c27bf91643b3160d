// What this home's items are called and have, and what can be done with them: GET /v1/schema, asked for until it is answered, four
// times at most. A module that imports this one begins then; without an answer the pages go on with words that fit anything.

import { getSchema } from "./api.js";

/**
 * @typedef {{name: string, value: string | null, needs_value: boolean, positive: boolean, negative: boolean, hides: string, click: boolean}} ActKind
 * @typedef {{name: string, type: string, many: boolean}} Attribute
 * @typedef {{noun: string, nouns: string, ids: string, acts: ActKind[], items: Attribute[], users: Attribute[], labels: string | null, era: string | null, image_hosts: string[]}} Schema
 */

/** @type {Schema} */
const UNKNOWN = { noun: "item", nouns: "items", ids: "numbers", acts: [], items: [], users: [], labels: null, era: null, image_hosts: [] };

const NAMING = ["aria-label", "placeholder", "title"];

// The page's own words, before anything out of data is among them.
const written = [...document.body.querySelectorAll("*")].flatMap((node) => [
  ...NAMING.filter((name) => node.hasAttribute(name)).map((name) => node.getAttributeNode(name)),
  ...[...node.childNodes].filter((child) => child instanceof Text),
]);

const WAITS_MS = [300, 1000, 2000];

/** The answer, asked for again where none came; without a key none will. @returns {Promise<Schema>} */
async function answered() {
  for (const wait of WAITS_MS) {
    try {
      return await getSchema();
    } catch (fault) {
      if (fault.status === 401 || fault.status === 403) return UNKNOWN;
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return getSchema().catch(() => UNKNOWN); // what else the page asks tells what is wrong
}

/** @type {Schema} */
export const schema = await answered();

export const { noun, nouns } = schema;
export const knows = (/** @type {string} */ kind) => schema.acts.some(({ name }) => name === kind);
export const rates = knows("rating");

// Pages send a click themselves, stars and thumbs stand for three kinds, and what a view is the site knows that shows the item.
const BUILT_IN = new Set(["rating", "like", "dislike", "click", "view"]);
/** The kinds that have buttons of their own. */
export const ownActs = schema.acts.filter(({ name }) => !BUILT_IN.has(name));

export const facets = schema.items.filter(({ type }) => type === "facet").map(({ name }) => name);
const hasPrice = schema.items.some(({ name, type }) => name === "price" && type === "number");

const listed = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]);

/** An item's values of a facet. @returns {string[]} */
export const valuesOf = (item, /** @type {string | null} */ facet) => (facet === null ? [] : listed(item[facet]));

/** Its labels, the values of the first facet that counts for tastes: with films, the genres. */
export const labelsOf = (item) => valuesOf(item, schema.labels);

/** The names under which an item's facets stand among a user's tastes. */
export const tastesOf = (item) => facets.flatMap((facet) => valuesOf(item, facet).map((value) => (facet === schema.labels ? value : `${facet}:${value}`)));

/** Its year, or null. @returns {number | null} */
export const yearOf = (item) => (schema.era === null ? null : (item[schema.era] ?? null));

/** Its price, or null. @returns {number | null} */
export const priceOf = (item) => (hasPrice ? (item.price ?? null) : null);

/** "add_to_cart" → "add to cart". */
export const spoken = (/** @type {string} */ name) => name.replaceAll("_", " ");
export const capital = (/** @type {string} */ text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** "a film", "an article". */
export const aNoun = `${/^[aeiou]/i.test(noun) ? "an" : "a"} ${noun}`;

/** What a person is asked to do, as a sentence's beginning: "Rate a film". */
export const invitation = `${rates ? "Rate" : knows("like") ? "Like" : "Open"} ${aNoun}`;

/** A sentence about films, about what this home has: the pages' HTML is written for films with ratings. */
export function inWords(/** @type {string} */ text) {
  const acts = rates ? text : text.replace(/\ba rating(, like or click)?\b/g, "what you do");
  return acts.replace(/\brate a film\b|\b(a )?film(s?)\b/gi, (/** @type {string} */ found, article, many) => {
    const words = found.toLowerCase() === "rate a film" ? invitation.toLowerCase() : article ? aNoun : many ? nouns : noun;
    return found[0] === found[0].toUpperCase() ? capital(words) : words;
  });
}

if (noun !== "film" || !rates) {
  document.title = inWords(document.title);
  for (const node of written) if (node?.nodeValue) node.nodeValue = inWords(node.nodeValue);
}

// Speaks to /v1. Every fault becomes a Fault with a sentence for a person: problem details (RFC 9457), a timeout, no network.

import { askKey, keyHeaders, keyOf } from "./keys.js";

const TIMEOUT_MS = 10_000;
const BUSY_TIMES = 2;
const BUSY_S = 2;

export class Fault extends Error {
  /**
   * `status`: of HTTP, 0 where nothing answered. `body`: the problem details, {} without. `again`: seconds until a try may do. `wantsKey`:
   * with another key it may do.
   */
  constructor(/** @type {string} */ message, status = 0, /** @type {any} */ body = {}, /** @type {number | null} */ again = null, wantsKey = false) {
    super(message);
    this.status = status;
    this.body = body;
    this.again = again;
    this.wantsKey = wantsKey;
  }
}

export const getModels = (signal) => call("/v1/models", { signal });

/** What the home's items and events are: see schema.js. */
export const getSchema = () => call("/v1/schema", {});

export const getUser = (userId, signal) => call(`/v1/users/${encodeURIComponent(userId)}`, { signal });

/** `asked`: user_id, model, size, seen, explain; what is null or undefined is left out. */
export const getRecommendations = (asked, signal) => call(`/v1/recommendations?${query(asked)}`, { signal });

const itemAddress = (itemId) => `/v1/items/${encodeURIComponent(itemId)}`;

export const getItem = (itemId, signal) => call(itemAddress(itemId), { signal });

/** `asked`: facet, decade, q, sort, limit, cursor. */
export const getItems = (asked, signal) => call(`/v1/items?${query(asked)}`, { signal });

/** The values of a facet, those of the most items first. */
export const getFacet = (name, limit, signal) => call(`/v1/facets/${encodeURIComponent(name)}?${query({ limit })}`, { signal });

/** `by`: which weights between items; null: the server's first. */
export const getSimilar = (itemId, by, size, signal) => call(`${itemAddress(itemId)}/similar?${query({ by, size })}`, { signal });

export const getOps = (signal) => call("/v1/ops", { signal });

/** `speed`: a number, "max", or null to stop. */
export const postReplay = (speed) =>
  call("/v1/admin/replay", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ speed }), kinds: ["admin"] });

const query = (/** @type {Record<string, any>} */ asked) => new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== null && value !== undefined && value !== ""));

// After these nobody knows whether an event was written: the answer was lost on its way, or the log has not acknowledged it in time.
const UNSURE = [0, 502, 503, 504];

/** An event that may have been written. Whoever sends it again does so under its id: then it is no second one. */
export class Unsure extends Fault {
  constructor(/** @type {Fault} */ { message, status, body, again }, /** @type {string} */ eventId) {
    super(message, status, body, again);
    this.eventId = eventId;
  }
}

/**
 * Send one event; gives {accepted, event_ids, seen}. It has an id from here, its own or a new one, so that it can be sent once more where
 * the answer is lost; after that an Unsure is thrown.
 */
export async function postEvent(/** @type {Record<string, any>} */ event) {
  const named = { event_id: newId(), ...event };
  try {
    return await post(named);
  } catch (fault) {
    if (!UNSURE.includes(fault.status)) throw fault;
  }
  await new Promise((done) => setTimeout(done, 1000));
  try {
    return await post(named);
  } catch (fault) {
    throw new Unsure(fault, named.event_id); // whatever is wrong now, the first try may have been written
  }
}

const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const post = (event) =>
  call("/v1/events", { method: "POST", headers: { "Content-Type": "application/json" }, body: eventBody(event) });

/** Ids are sent as strings: "7" is 7, and a JavaScript number would round those up to 2^63 − 1. */
const eventBody = ({ user_id, item_id, ...rest }) => JSON.stringify({ user_id: String(user_id), item_id: item_id === undefined ? undefined : String(item_id), ...rest });

/** JSON, but whole numbers that a JavaScript number can't hold stay strings of digits (where the browser tells the source). */
export const parse = (text) => (/(?<![.\d])\d{16}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text));

const exact = (key, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "") ? context.source : value;

/**
 * Asks for a key where the server wants one, for as long as a person goes on giving keys; and what changes nothing is asked for again
 * where a busy server says when to come back.
 * @param {string} url
 * @param {RequestInit & {kinds?: string[]}} options
 */
async function call(url, { kinds = ["api"], ...options }) {
  const kind = kinds[kinds.length - 1];
  for (let times = 0; ; times++) {
    const key = keyOf(kind);
    options.signal?.throwIfAborted(); // nobody wants the answer any more: a busy server is not asked again
    try {
      return await once(url, { ...options, headers: { ...options.headers, ...keyHeaders(kinds) } });
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      if (fault.wantsKey) {
        if (!(await askKey(kind, key))) throw fault;
      } else if (!options.method && times < BUSY_TIMES && fault.again !== null && fault.again <= BUSY_S) {
        await new Promise((done) => setTimeout(done, 1000 * (fault.again ?? 0)));
      } else throw fault;
    }
  }
}

/** @param {string} url @param {RequestInit} options */
async function once(url, { signal, ...options }) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
  const stop = () => late.abort();
  signal?.addEventListener("abort", stop);
  try {
    const response = await fetch(url, { ...options, signal: late.signal });
    const text = await response.text();
    if (!response.ok) throw faultOf(response, text);
    return parse(text);
  } catch (error) {
    if (error instanceof Fault) throw error;
    if (signal?.aborted) throw error; // the caller no longer wants the answer and knows it
    if (late.signal.aborted) throw new Fault(`The server did not answer within ${TIMEOUT_MS / 1000} s.`);
    if (error instanceof SyntaxError) throw new Fault("The server's answer is not JSON.");
    throw new Fault("The server can't be reached. Is it running? ./martlet status");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function faultOf(response, text) {
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A proxy's page, say: the status has to do.
  }
  const wait = response.headers.get("Retry-After");
  const said = body.detail || body.title || `The server answered ${response.status} ${response.statusText}.`;
  return new Fault(wait ? `${said} (try again in ${wait} s)` : said, response.status, body, wait ? Number(wait) : null, response.headers.has("WWW-Authenticate"));
}

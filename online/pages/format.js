// Formatting for people: dates of the home's clock, numbers, titles, and the meanings of `degraded`.

import { nouns, rates } from "./schema.js";

// UTC, so that the same event has the same date everywhere, and the tests' too.
const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const AGO = new Intl.RelativeTimeFormat("en-GB", { numeric: "always", style: "narrow" });

export const number = (/** @type {number} */ value) => NUMBER.format(value);
// A time may lie beyond what a Date holds, as one in nanoseconds does: it is shown as it is.
const isDate = (/** @type {number} */ ts) => !Number.isNaN(new Date(ts).getTime());
export const date = (/** @type {number} */ ts) => (isDate(ts) ? `${DATE.format(ts)} UTC` : String(ts));
/** For `datetime`; null where there is none. */
export const isoDate = (/** @type {number} */ ts) => (isDate(ts) ? new Date(ts).toISOString() : null);

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["year", 31_557_600_000], ["month", 2_629_800_000], ["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

/** "2d ago", as seen from `now`, which is the home's clock and not the browser's. */
export function ago(/** @type {number} */ ts, /** @type {number} */ now) {
  const unit = UNITS.find(([, size]) => Math.abs(now - ts) >= size);
  return unit ? AGO.format(-Math.trunc((now - ts) / unit[1]), unit[0]) : "just now";
}

/** MovieLens writes "Matrix, The": a person does not. */
export const shownTitle = (/** @type {string} */ title) => title.replace(/^(.+), (The|A|An)$/, "$2 $1");

export const count = (/** @type {number} */ value, /** @type {string} */ one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** 1st, 2nd, 3rd, … */
export function ordinal(/** @type {number} */ n) {
  const tens = n % 100 > 10 && n % 100 < 14;
  return `${number(n)}${tens ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")}`;
}

/** A taste from −1 to 1, as +62 %; with a real minus sign; "−0" is nothing. */
export function signed(/** @type {number} */ value) {
  const rounded = Math.round(value * 100);
  return `${rounded < 0 ? "−" : rounded > 0 ? "+" : ""}${Math.abs(rounded)}\u00a0%`;
}

/** Does a list that misses this become whole by itself? Then it is asked for again. */
export const comesBack = (/** @type {string[]} */ degraded) => degraded.some((what) => ["no live features", "no model", "no changes of items"].includes(what));

/** What a word of `degraded` means for who looks at the list. */
export function degradedSentence(/** @type {string} */ what) {
  if (what === "no live features") return `What is newest of you does not answer (Redis): your newest ${rates ? "ratings" : "acts"} may be missing for a moment.`;
  if (what === "no changes of items") return `What has changed of the ${nouns} is still being read: one that is gone may be shown.`;
  if (what === "nothing to learn from yet") return "Nobody has liked anything yet: what is looked at most comes first.";
  if (what === "no model") return `No trained model ranks just now: the ${nouns} are in a simpler order until one does.`;
  const channel = what.match(/^recall channel failed: (.+)$/);
  if (channel) return `One way of finding ${nouns} (“${channel[1]}”) does not answer: some may be missing for a moment.`;
  const skipped = what.match(/^recall channel left out: (.+)$/);
  if (skipped) return `There was no time for one way of finding ${nouns} (“${skipped[1]}”): some may be missing.`;
  const model = what.match(/^model left out: (.+)$/);
  return model ? `One of the models that rank together (${model[1]}) does not answer: the order may be a little different for a moment.` : what;
}

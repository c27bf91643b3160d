// How things are said: dates of the home's clock, numbers, titles, what degraded means.

// UTC, so that the same event has the same date everywhere, and the tests' too.
const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const AGO = new Intl.RelativeTimeFormat("en-GB", { numeric: "always", style: "narrow" });

export const number = (value) => NUMBER.format(value);
export const date = (ts) => `${DATE.format(ts)} UTC`;
export const isoDate = (ts) => new Date(ts).toISOString();

const UNITS = [["year", 31_557_600_000], ["month", 2_629_800_000], ["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];

/** "2d ago", as seen from `now`, which is the home's clock and not the browser's. */
export function ago(ts, now) {
  const unit = UNITS.find(([, size]) => Math.abs(now - ts) >= size);
  return unit ? AGO.format(-Math.trunc((now - ts) / unit[1]), unit[0]) : "just now";
}

/** MovieLens writes "Matrix, The": a person does not. */
export const shownTitle = (title) => title.replace(/^(.+), (The|A|An)$/, "$2 $1");

export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** What a word of `degraded` means for who looks at the list. */
export function degradedSentence(what) {
  if (what === "no live features") return "The live features can't be read: this list uses the older, stored ones.";
  if (what === "no model") return "The model did not answer in time: this list is in the order of recall and popularity.";
  const channel = what.match(/^recall channel failed: (.+)$/);
  return channel ? `The recall channel “${channel[1]}” failed: its films are missing.` : what;
}

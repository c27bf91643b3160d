// Who the user is: counts, mean rating, what is known, and when.

import { el } from "./dom.js";
import { capital, invitation, knows, noun, nouns, ownActs, rates, schema, spoken } from "./schema.js";
import { ago, count, date, isoDate, number } from "./format.js";

/** `user` as in GET /v1/users/{id}. */
export function showProfile(lead, facts, user) {
  const { counts, mean_rating: mean, last_event_ts: last, now, session } = user;
  if (!user.known) lead.textContent = `Nobody has heard of this user yet. The list is what others like; ${invitation.toLowerCase()} and it becomes this user's own.`;
  else if (!user.live) lead.textContent = "What is newest of this user does not answer: for a moment these are older figures.";
  else lead.textContent = `${balance(user)}; ${count(session.events, "event")} in the newest session.`;
  const pair = (one, other, words) => (knows(one) || knows(other) ? [[words, `${number(counts[one] ?? 0)} · ${number(counts[other] ?? 0)}`]] : []);
  const rows = [
    ...(rates ? [["Ratings", number(counts.rating)], ["Mean rating", mean === null ? "none" : `${number(mean)} ★`]] : []),
    ...pair("like", "dislike", "Likes · dislikes"),
    ...pair("click", "view", "Clicks · views"),
    ...ownActs.filter(({ name }) => name in counts).map(({ name }) => [capital(spoken(name)), number(counts[name])]),
    [`${capital(nouns)} seen`, number(user.seen)],
    ...schema.users.filter(({ name }) => name in user.attributes).map(({ name, type }) => [capital(spoken(name)), told(user.attributes[name], type)]),
    ["Newest event", last === null ? "none" : moment(last, ago(last, now))],
    ["Now, in the data's time", moment(now)],
  ];
  facts.replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** What speaks for items and against them: by number where each act counts as one, else by the acts' weights. */
function balance({ positives, negatives }) {
  if (Number.isInteger(positives) && Number.isInteger(negatives)) return `${count(positives, noun, nouns)} liked, ${number(negatives)} not`;
  return `Acts worth ${number(positives)} for ${nouns}, ${number(negatives)} against`;
}

/** An attribute of the user: words as chips, the beginning of a text. */
function told(value, type) {
  if (type === "facet") return el("ul.words", {}, ...[value].flat().map((word) => el("li", {}, word)));
  if (type === "time") return moment(value);
  if (type === "flag") return value ? "yes" : "no";
  return type === "number" ? number(value) : value.slice(0, 200);
}

const moment = (ts, more) => el("time", { datetime: isoDate(ts) }, date(ts), more ? el("small", {}, more) : null);

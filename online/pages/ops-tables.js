// Models with their metrics, and experiments per arm.

import { el, patch } from "./dom.js";
import { number } from "./format.js";

const METRICS = { hr10: "HR@10", ndcg10: "NDCG@10", auc: "AUC", gauc: "GAUC", log_loss: "log loss" };
const LESS_IS_BETTER = new Set(["log_loss"]);

/** `models` as in GET /v1/ops. */
export function showModels(root, said, refused, decided, { default: usual, ranking, decisions, refused: bad }) {
  said.textContent = ranking.length ? "metrics of held-out asks, from each version's manifest; the best of a column is marked" : "";
  const names = Object.keys(METRICS).filter((name) => ranking.some(({ metrics }) => name in metrics));
  const best = (name) => Math[LESS_IS_BETTER.has(name) ? "min" : "max"](...ranking.map(({ metrics }) => metrics[name]).filter((value) => value !== undefined));
  const cell = (name, value) => el(value === best(name) && ranking.length > 1 ? "td.best" : "td", {}, value === undefined ? "–" : value.toFixed(4));
  patch(
    root,
    ranking.length
      ? table(
          ["model", "version", ...names.map((name) => METRICS[name])],
          ranking.map(({ name, version, metrics, labels }) => [
            el("th", { scope: "row" }, el("a", { href: `/user.html?${new URLSearchParams({ id: "6", model: name })}` }, name), name === usual ? el("span.tag", {}, "default") : null),
            el("td", {}, [version, ...Object.entries(labels).filter(([label]) => label !== "stable").map(([label, other]) => `${label} ${other}`)].join(", ")),
            ...names.map((each) => cell(each, metrics[each])),
          ]),
        )
      : el("p.note", {}, "No model ranks: lists are in the order of recall. ./martlet train makes some."),
  );
  patch(decided, ...decisions.map(({ model, ts, text }) => el("li", {}, el("time", { datetime: new Date(ts).toISOString() }, new Date(ts).toLocaleString()), ` ${model}: ${text}`)));
  patch(refused, ...bad.map(({ name, version, reason }) => el("li", {}, `${name} version ${version} was refused: ${reason}`)));
}

/** `flow.learning` of GET /v1/ops, the newest slice first; nothing where nothing learns. */
export function showLearning(root, learning) {
  const at = (ms) => el("time", { datetime: new Date(ms).toISOString() }, new Date(ms).toLocaleString());
  const scores = (ndcg10) => Object.entries(ndcg10).map(([ranker, value]) => `${ranker} ${value.toFixed(4)}`).join(", ");
  patch(
    root,
    ...(learning ? [el("li", {}, ...(learning.text_at ? [at(learning.text_at)] : []), ` learner: ${learning.text}`)] : []),
    ...(learning?.recent ?? []).toReversed().map(({ slice, ts, lists, users, ndcg10, learned }) => el("li", {}, at(ts), ` slice ${slice}: ${lists} lists of ${users} users; NDCG@10 before: ${scores(ndcg10) || "none"}; learned from ${learned}`)),
  );
}

/** `experiments` and `interleaved` as in GET /v1/ops. */
export function showExperiments(root, experiments, interleaved) {
  patch(
    root,
    ...(interleaved.length ? [showInterleaved(interleaved)] : []),
    ...(experiments.length
      ? experiments.map(({ name, layer, arms }) => {
          const shown = table(
            ["arm", "share of users", "lists", "acted on", "with a like"],
            arms.map(({ name: arm, share, lists, acted, liked, policy }) => [
              el("th", { scope: "row", title: JSON.stringify(policy) }, arm),
              el("td", {}, `${number(share * 100)} %`),
              el("td", {}, number(lists)),
              el("td", {}, number(acted), rate(acted, lists)),
              el("td", {}, number(liked), rate(liked, lists)),
            ]),
          );
          shown.prepend(el("caption", {}, `${name}, in layer ${layer}`));
          return el("div.scroll", { tabindex: "0", role: "group", "aria-label": `Experiment ${name}` }, shown);
        })
      : [el("p.soft", {}, "None is declared. ", el("code", {}, "serving.json"), " in the home's folder declares them; what came of closed lists is told by ", el("code", {}, "./martlet experiments"), ".")]),
  );
}

/** Pairs of interleaved models: what was liked of whose picks, and the verdict. */
function showInterleaved(verdicts) {
  const shown = table(
    ["models", "lists", "liked of the picks of each", "lists won by the first", "evidence (E)", "verdict"],
    verdicts.map(({ first, second, lists, liked, counted, share, low, high, evidence, decided, wanted }) => {
      const [best, e] = evidence[0] >= evidence[1] ? [first, evidence[0]] : [second, evidence[1]];
      return [
        el("th", { scope: "row" }, `${first}, ${second}`),
        el("td", {}, number(lists)),
        el("td", {}, `${number(liked[0])}, ${number(liked[1])}`),
        el("td", {}, counted ? `${(share * 100).toFixed(1)} % (${(low * 100).toFixed(1)}–${(high * 100).toFixed(1)}) of ${number(counted)}` : "–"),
        el("td", {}, counted ? `${e.toPrecision(3)} that ${best} is better` : "–"),
        el("td", {}, decided ? `${best} is better` : wanted === null ? "undecided" : `undecided; about ${number(wanted)} more lists wanted`),
      ];
    }),
  );
  shown.prepend(el("caption", {}, "Interleaved models"));
  return el("div.scroll", { tabindex: "0", role: "group", "aria-label": "Interleaved models" }, shown);
}

function rate(some, all) {
  if (!all) return null;
  const bar = el("span.weigh", { "aria-hidden": "true" });
  bar.style.setProperty("--share", String(Math.min(1, some / all)));
  return el("span", {}, ` (${((some / all) * 100).toFixed(1)} %)`, bar);
}

const table = (heads, rows) => el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells))));

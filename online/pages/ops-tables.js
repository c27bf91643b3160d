// Models with their metrics, and experiments per arm.

import { el } from "./dom.js";
import { number } from "./format.js";

const METRICS = { hr10: "HR@10", ndcg10: "NDCG@10", auc: "AUC", gauc: "GAUC", log_loss: "log loss" };
const LESS_IS_BETTER = new Set(["log_loss"]);

/** `models` as in GET /v1/ops. */
export function showModels(root, said, refused, { default: usual, ranking, refused: bad }) {
  said.textContent = ranking.length ? "metrics of held-out asks, from each version's manifest; the best of a column is marked" : "";
  const names = Object.keys(METRICS).filter((name) => ranking.some(({ metrics }) => name in metrics));
  const best = (name) => Math[LESS_IS_BETTER.has(name) ? "min" : "max"](...ranking.map(({ metrics }) => metrics[name]).filter((value) => value !== undefined));
  const cell = (name, value) => el(value === best(name) && ranking.length > 1 ? "td.best" : "td", {}, value === undefined ? "–" : value.toFixed(4));
  root.replaceChildren(
    ranking.length
      ? table(
          ["model", "version", ...names.map((name) => METRICS[name])],
          ranking.map(({ name, version, metrics }) => [
            el("th", { scope: "row" }, el("a", { href: `/user.html?${new URLSearchParams({ id: "6", model: name })}` }, name), name === usual ? el("span.tag", {}, "default") : null),
            el("td", {}, String(version)),
            ...names.map((each) => cell(each, metrics[each])),
          ]),
        )
      : el("p.note", {}, "No model ranks: lists are in the order of recall. ./martlet train makes some."),
  );
  refused.replaceChildren(...bad.map(({ name, version, reason }) => el("li", {}, `${name} version ${version} was refused: ${reason}`)));
}

/** `experiments` as in GET /v1/ops. */
export function showExperiments(root, experiments) {
  root.replaceChildren(
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

function rate(some, all) {
  if (!all) return null;
  const bar = el("span.weigh", { "aria-hidden": "true" });
  bar.style.setProperty("--share", String(Math.min(1, some / all)));
  return el("span", {}, ` (${((some / all) * 100).toFixed(1)} %)`, bar);
}

const table = (heads, rows) => el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells))));

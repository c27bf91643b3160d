// The operator's page: is it fresh, exact and healthy? All of it from GET /v1/ops, again every two seconds.

import { getOps, postReplay } from "./api.js";
import { bars, line } from "./charts.js";
import { $, el, patch } from "./dom.js";
import { showExperiments, showLearning, showModels } from "./ops-tables.js";
import { every } from "./timing.js";
import { ago, count, date, number } from "./format.js";

const LOOK_MS = 2000;
const KEPT_MS = 180_000;
const WAIT_MS = 5000; // the supervisor looks each second
const VERDICTS = ["applied", "duplicate", "late", "rejected", "rerouted", "marks"];

/** [[ms, records read], …]: of the watch's sights at first, then of our own looks. */
let reads = [];

// --- What is shown -----------------------------------------------------------------------------------------------------------

function show(ops) {
  const { job, flow } = ops;
  remember(ops);
  showVerdict(ops);
  showFigures(ops);
  showFreshness(job, flow);
  showLedger(job);
  showReplay(ops.replay);
  showModels($("models"), $("models-said"), $("refused"), $("decisions"), ops.models);
  showLearning($("learning"), flow?.learning);
  showExperiments($("experiments"), ops.experiments, ops.interleaved);
  showLists(ops);
  showJob(flow);
}

function remember({ asked_at: now, job, flow }) {
  if (!reads.length && flow) reads = flow.history.filter(({ read }) => read !== null).map(({ at, read }) => [at, read]);
  if (job) reads.push([now, job.read]);
  reads = reads.filter(([at]) => now - at < KEPT_MS);
}

/** [[ms, events a second], …] between one look and the next. */
function rates() {
  return reads.slice(1).flatMap(([at, read], n) => {
    const [before, then] = reads[n];
    return at > before ? [[at, Math.max(0, ((read - then) / (at - before)) * 1000)]] : [];
  });
}

function showVerdict({ ready, flow, flow_trouble: trouble, settings, asked_at: now }) {
  const away = Object.entries(ready).filter(([, there]) => !there).map(([name]) => name);
  const alarms = flow?.alarms ?? [];
  const wrong = Object.entries(settings).filter(([, error]) => error).map(([name, error]) => `${name} is refused: ${error}`);
  const old = flow && now - flow.asked_at > 30_000 ? [`the watch's newest sight is ${number(Math.round((now - flow.asked_at) / 1000))} s old`] : [];
  const failed = flow?.failed_steps?.length ? [`could not be prepared: ${flow.failed_steps.join(", ")} (what \`up\` printed says why)`] : [];
  const why = [...(away.length ? [`away: ${away.join(", ")}`] : []), ...failed, ...wrong, ...(trouble ? [trouble] : []), ...old];
  const ill = alarms.length > 0 || why.length > 0;
  $("verdict").className = `verdict ${ill ? "ill" : "well"}`;
  text("verdict-word", ill ? (alarms.length ? count(alarms.length, "alarm") : "Degraded") : "All well");
  const made = (flow?.preparing ?? []).map(({ name, since }) => (since ? `${name} since ${ago(since, now)}` : name));
  const still = made.length ? ` Still being prepared: ${made.join(", then ")}.` : "";
  text("verdict-why", (why.join("; ") || (ill ? "" : "Redis, Kafka, Flink, models and items answer; the ledger adds up; no alarm.")) + still);
  patch($("alarms"), ...alarms.map(({ name, since, text }) => el("li", {}, el("strong", {}, `${name.replaceAll("_", " ")}, since ${ago(since, now)}`), text)));
}

function showFigures({ job, flow, asked_at: now }) {
  const rate = rates();
  const latest = rate.filter(([at]) => now - at < 6000);
  const mean = latest.length ? latest.reduce((sum, [, value]) => sum + value, 0) / latest.length : null;
  const minute = flow?.freshness_last_minute?.users;
  const lag = flow?.broker_lag_ms ?? null;
  const age = flow?.job?.checkpoint?.age_ms ?? null;
  const all = flow?.freshness?.users;
  const fresh = minute?.count ? minute : all;
  figure("events a second", mean === null ? null : number(mean >= 10 ? Math.round(mean) : Math.round(mean * 10) / 10), "", job ? `${number(job.read)} read in all` : "Redis does not tell", line(rate, { label: "Events a second, the last three minutes" }));
  figure("freshness, median", fresh?.p50_ms ?? null, "ms", fresh?.p50_ms == null ? "no event yet" : `99 %: ${number(fresh.p99_ms)} ms, ${minute?.count ? "last minute" : "since the job began"}`);
  figure("waiting to be folded", flow?.pending?.events ?? null, "", lag === null ? "" : lag === 0 ? "nothing lags" : `the oldest for ${seconds(lag)}`, line((flow?.history ?? []).map(({ at, pending }) => [at, pending]), { label: "Waiting events, the last three minutes" }));
  figure("newest checkpoint", age === null ? null : number(Math.round(age / 1000)), "s ago", flow?.job ? `took ${number(flow.job.checkpoint.duration_ms ?? 0)} ms, ${mib(flow.job.state_bytes)}` : "no job");
  figure("watermark", flow?.event_time_lag_ms == null ? null : seconds(flow.event_time_lag_ms), "", "behind the home's clock: how long ago the newest event was");
}

const boxes = new Map();

function figure(name, value, unit, more, /** @type {Element | null} */ chart = null) {
  if (!boxes.has(name)) {
    const box = el("section.figure");
    boxes.set(name, box);
    $("numbers").append(box);
  }
  const box = boxes.get(name);
  patch(box, el("h2", {}, name), el("div.value", {}, ...(value === null ? ["–"] : [String(value), " ", el("small", {}, unit)])), el("p.more", {}, more), chart);
}

const OPERATORS = { users: "Users' features", items: "Items' features" };

function showFreshness(job, flow) {
  if (!job) {
    patch($("fresh"), el("p.note", {}, "Redis does not answer: nothing is known of the job's freshness."));
    return;
  }
  const bounds = job.freshness.bounds_ms;
  const names = [...bounds.map((bound) => (bound < 1000 ? `≤${bound}` : `≤${bound / 1000}s`)), `>${bounds.at(-1) / 1000}s`];
  patch(
    $("fresh"),
    ...Object.entries(OPERATORS).map(([operator, name]) => {
      const minute = flow?.freshness_last_minute?.[operator];
      const total = job.freshness[operator];
      const told = (each) => (each?.count && each.p50_ms !== null ? [["median", each.p50_ms], ["95\u00a0%", each.p95_ms], ["99\u00a0%", each.p99_ms]].map(([name, ms]) => `${name}\u00a0${number(ms)}\u00a0ms`).join(", ") : "nothing written");
      const series = [{ name: "last minute", counts: minute?.counts ?? total.counts.map(() => 0) }, { name: "since the writers began", counts: total.counts }];
      const label = `${name}: last minute ${told(minute)}; ${number(total.count)} writes since the writers began, ${told(flow?.freshness?.[operator])}`;
      return el(
        "section", {},
        el("h3", {}, name),
        el("p", {}, el("span.swatch"), `last minute: ${told(minute)} `, el("span.swatch.s1"), `all: ${told(flow?.freshness?.[operator])}`),
        bars(names, series, { label }),
      );
    }),
  );
}

function showLedger(job) {
  if (!job) {
    patch($("ledger"), el("p.note", {}, "Redis does not answer: the ledger can't be read."));
    return;
  }
  const row = (name, read, verdicts) => {
    const parts = VERDICTS.filter((verdict) => verdict in verdicts);
    const sum = parts.reduce((total, verdict) => total + verdicts[verdict], 0);
    const stack = el("div.stack", { "aria-hidden": "true" }, ...parts.map((verdict) => part(verdict, verdicts[verdict])));
    return el(
      "div.ledger-row", {},
      el("h3", {}, `${name}: ${number(read)} read `, el(`span.adds${sum === read ? "" : ".not"}`, {}, sum === read ? "✓ adds up" : `✗ ${number(sum)} have a verdict`)),
      stack,
      el("ul", {}, ...parts.map((verdict) => el("li", {}, el(`span.key.${verdict}`, { "aria-hidden": "true" }), `${verdict} ${number(verdicts[verdict])}`, verdict === "duplicate" && verdicts[verdict] ? el("small", {}, ": sent again, counted, without effect") : null))),
    );
  };
  patch($("ledger"), row("Events", job.read, job.verdicts), row("Shown lists", job.served_read, job.served_verdicts));
}

function part(verdict, value) {
  const span = el(`span.${verdict}`);
  span.style.setProperty("--part", value);
  return span;
}

function showLists({ api, job, settings }) {
  const sum = (counts) => Object.values(counts).reduce((total, each) => total + each, 0);
  const named = (counts) => Object.entries(counts).map(([name, value]) => `${name} ${number(value)}`).join(", ");
  const rows = [
    ["Events accepted", `${number(sum(api.accepted))}`, named(api.accepted)],
    ["Lists shown and logged", number(api.lists_logged), sum(api.lists_dropped) ? `not logged: ${named(api.lists_dropped)}` : ""],
    ["Degraded lists", number(sum(api.degraded)), named(api.degraded)],
    ["Answers by status", number(sum(api.statuses)), named(api.statuses)],
    ["Pages that follow a user", number(api.streams), ""],
    ["Training samples made", job ? number(job.samples) : "–", job ? `${count(job.open_lists, "list")} still open` : ""],
  ];
  patch($("lists"), ...rows.map(pair));
}

function showJob(flow) {
  const job = flow?.job;
  $("flink").hidden = !job;
  if (job) $("flink", HTMLAnchorElement).href = job.page;
  if (!job) {
    patch($("job"), pair(["State", flow?.unreachable?.flink ? "Flink does not answer" : flow ? "no job" : "not known", ""]));
    return;
  }
  const share = (value) => (value === null ? "–" : `${Math.round(value * 100)} %`);
  patch(
    $("job"),
    ...[
      ["State", job.state.toLowerCase(), `${job.tasks_running} of ${job.tasks} tasks run`],
      ["Started", date(job.started_at), ""],
      ["Restarts", number(job.restarts ?? 0), ""],
      ["Checkpoints", number(job.checkpoint.completed), job.checkpoint.failed ? `${number(job.checkpoint.failed)} failed` : "none failed"],
      ["State kept", mib(job.state_bytes), ""],
      ...job.vertices.map(({ name, busy, backpressured }) => [name, `busy ${share(busy)}`, backpressured ? `waits for the next ${share(backpressured)}` : ""]),
    ].map(pair),
  );
}

const pair = (/** @type {any[]} */ [name, value, more]) => el("div", {}, el("dt", {}, name), el("dd", {}, value, more ? el("small", {}, ` ${more}`) : null));
const mib = (bytes) => (bytes === null || bytes === undefined ? "–" : `${number(Math.round((bytes / 2 ** 20) * 10) / 10)} MiB`);
const seconds = (ms) => (ms < 10_000 ? `${number(Math.round(ms / 100) / 10)} s` : ms < 600_000 ? `${number(Math.round(ms / 1000))} s` : ms < 172_800_000 ? `${number(Math.round(ms / 360_000) / 10)} h` : `${number(Math.round(ms / 86_400_000))} days`);

function text(id, words) {
  if ($(id).textContent !== words) $(id).textContent = words;
}

// --- The replay ----------------------------------------------------------------------------------------------------------------

let paced = null; // the running speed that is shown as chosen
let newest = ""; // the id of the wish that the supervisor carries out
/** @type {{after: string, until: number} | null} our newest wish, until the supervisor goes on from the one before, or a moment has passed */
let wished = null;

function showReplay(replay) {
  newest = replay?.id ?? "";
  const waiting = wished !== null && newest === wished.after && performance.now() < wished.until;
  if (!waiting) wished = null;
  const running = replay?.running ?? false;
  const { first = 0, row = 0, last = 0, speed, error } = replay ?? {};
  const sent = row - first;
  const done = last > first && row >= last;
  const pace = speed === "max" ? "as fast as it goes" : `at ${number(speed ?? 0)}× its own pace`;
  if (running && String(speed) !== paced) showSpeed(String(speed));
  paced = running ? String(speed) : null;
  $("replay-start", HTMLButtonElement).disabled = $("replay-stop", HTMLButtonElement).disabled = replay === null || waiting;
  $("replay-stop", HTMLButtonElement).disabled ||= !running;
  text("replay-start", running ? "Change speed" : sent && !done ? "Go on" : "Start");
  text(
    "replay-said",
    replay === null
      ? "No supervisor runs beside this API: a replay can't be started from here."
      : waiting
        ? "Asked the supervisor …"
        : running
          ? `Sending ${pace}: ${number(sent)} of ${number(last - first)} events.`
          : done
            ? "All of it has been sent. Sent again, every event is a duplicate by its id: the ledger counts it, nothing changes."
            : sent
              ? `Stopped after ${number(sent)} of ${number(last - first)} events; it goes on from there.`
              : "Not started. Watch events a second and freshness when you do.",
  );
  $("replay-progress").hidden = last <= first;
  $("replay-progress", HTMLProgressElement).value = last > first ? sent / (last - first) : 0;
  if (error && !running) fault(error);
}

/** The running speed is the chosen one, if it is none of those on offer, too: a command can have started it. */
function showSpeed(speed) {
  /** @type {any[]} */
  const radios = [...$("replay").querySelectorAll("input")];
  let radio = radios.find(({ value }) => value === speed);
  if (!radio) {
    radio = el("input", { type: "radio", name: "speed", value: speed });
    radios.at(-1).parentElement.before(el("label", {}, radio, `${number(Number(speed))}×`));
  }
  radio.checked = true;
}

function fault(words) {
  text("replay-fault", words);
  $("replay-fault").hidden = !words;
}

async function wish(speed) {
  fault("");
  try {
    const after = newest;
    await postReplay(speed);
    wished = { after, until: performance.now() + WAIT_MS };
    text("replay-said", "Asked the supervisor …");
  } catch (error) {
    fault(error.message);
  }
}

$("replay").addEventListener("submit", (submit) => {
  submit.preventDefault();
  const speed = new FormData($("replay", HTMLFormElement)).get("speed");
  wish(speed === "max" ? speed : Number(speed));
});
$("replay-stop").addEventListener("click", () => wish(null));

// --- Begin -------------------------------------------------------------------------------------------------------------------

every(LOOK_MS, async () => {
  try {
    show(await getOps());
  } catch (error) {
    $("verdict").className = "verdict ill";
    text("verdict-word", "No answer");
    text("verdict-why", error.message);
  }
});

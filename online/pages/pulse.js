// How a home fares, in a few words and figures, from GET /v1/ops.

import { count, number } from "./format.js";

/** {state: live | ill | "", word, read, fresh, pending, models}; figures for people, or undefined where nothing is known. */
export function pulseOf({ job, flow, models, ready }) {
  const away = Object.entries(ready).filter(([, there]) => !there).map(([name]) => name);
  const alarms = flow?.alarms ?? [];
  return {
    ...(away.length ? { state: "ill", word: `No answer from ${away.join(", ")}` } : alarms.length ? { state: "ill", word: count(alarms.length, "alarm") } : { state: "live", word: "Live" }),
    read: job ? number(job.read) : undefined,
    fresh: fresh(flow, job),
    pending: flow?.pending?.events === null || !flow ? undefined : number(flow.pending.events),
    models: number(models.ranking.length),
  };
}

function fresh(flow, job) {
  const minute = flow?.freshness_last_minute?.users?.p50_ms ?? null;
  const ms = minute ?? flow?.freshness?.users?.p50_ms ?? null;
  return ms === null || !job ? undefined : `${number(Math.round(ms))} ms`;
}

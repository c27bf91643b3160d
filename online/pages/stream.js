// Server-sent events, read with fetch: a browser's EventSource can't send the key that a server may ask for.

import { parse } from "./api.js";
import { keyHeaders } from "./keys.js";
import { onHidden, whenShown } from "./timing.js";

const AGAIN_MS = [500, 1000, 2000, 5000, 10_000];
const SILENT_MS = 40_000; // the server says something every 15 s

/**
 * Call `onEvent(name, data)` for each event of `url`, connecting again for as long as `signal` is not aborted; `onState(live)`
 * when it comes and goes. A hidden page is not connected: a browser has six connections to a host for all its tabs.
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {(name: string, data: any) => void} onEvent
 * @param {(live: boolean) => void} onState
 */
export async function follow(url, signal, onEvent, onState = () => {}) {
  for (let failures = 0; !signal.aborted; failures++) {
    await whenShown();
    const quiet = new AbortController();
    const ended = onHidden(() => quiet.abort());
    let timer = 0;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), SILENT_MS);
    };
    try {
      heard();
      const response = await fetch(url, { headers: { Accept: "text/event-stream", ...keyHeaders(["api"]) }, signal: AbortSignal.any([signal, quiet.signal]) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      onState(true);
      for await (const text of pieces(response.body)) {
        heard();
        failures = 0;
        const lines = text.split("\n");
        const of = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart()).join("\n");
        if (of("data")) onEvent(of("event") || "message", parse(of("data")));
      }
    } catch {
      // Connected again below; what came meanwhile is told by the first event then.
    }
    ended();
    clearTimeout(timer);
    if (signal.aborted) return;
    onState(false);
    await new Promise((done) => setTimeout(done, AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)]));
  }
}

/** The text between blank lines. */
async function* pieces(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held += value;
      const parts = held.split("\n\n");
      held = parts.pop() ?? "";
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

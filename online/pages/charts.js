// Small charts, drawn as SVG by hand. Each tells its content in words, too: role img and a label.

import { svg } from "./dom.js";
import { number } from "./format.js";

/** A line over time. `points`: [[ms, value], …], oldest first; what is null is a gap. The scale begins at 0. */
export function line(points, { label, unit = "", width = 260, height = 56 }) {
  const known = points.filter(([, value]) => value !== null);
  const picture = frame(label, width, height, "spark");
  if (known.length < 2) return picture;
  const [first, last] = [known[0][0], known.at(-1)[0]];
  const high = Math.max(...known.map(([, value]) => value), 1e-9);
  const x = (at) => ((at - first) / Math.max(1, last - first)) * width;
  const y = (value) => height - 2 - (value / high) * (height - 6);
  const path = known.map(([at, value], n) => `${n ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  picture.append(
    svg("path", { class: "area", d: `${path}L${width} ${height}L0 ${height}Z` }),
    svg("path", { class: "curve", d: path }),
    svg("circle", { class: "tip", cx: x(last), cy: y(known.at(-1)[1]), r: 3 }),
  );
  picture.setAttribute("aria-label", `${label}: ${number(known.at(-1)[1])}${unit} now, at most ${number(high)}${unit}`);
  return picture;
}

/**
 * Bars of shares, two a bucket. `names`: of the buckets; `series`: [{name, counts}], at most two. A bucket's share is of its own series.
 */
export function bars(names, series, { label, width = innerWidth < 560 ? 320 : 560, height = 190 }) {
  const picture = frame(label, width, height, "histogram");
  const shares = series.map(({ counts }) => {
    const total = counts.reduce((sum, each) => sum + each, 0);
    return counts.map((each) => (total ? each / total : 0));
  });
  const high = Math.max(0.05, ...shares.flat());
  const [left, bottom, top] = [34, 26, 8];
  const step = (width - left) / names.length;
  const y = (share) => top + (1 - share / high) * (height - top - bottom);
  for (const share of [0, high / 2, high]) {
    picture.append(
      svg("line", { class: "rule", x1: left, x2: width, y1: y(share), y2: y(share) }),
      svg("text", { class: "tick", x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${Math.round(share * 100)}%`),
    );
  }
  const thick = (step * 0.8) / series.length;
  names.forEach((name, n) => {
    const from = left + n * step + step * 0.1;
    shares.forEach((values, s) => {
      const [at, base] = [y(values[n]), y(0)];
      const { name: of, counts } = series[s];
      const bar = svg("rect", { class: `bar s${s}`, x: from + s * thick, y: at, width: thick - 1, height: Math.max(0, base - at), rx: 2 });
      bar.append(svg("title", {}, `${of}, ${name}: ${number(counts[n])}, ${(values[n] * 100).toFixed(1)} %`));
      picture.append(bar);
    });
    // Where it is narrow, every other name.
    if (step > 34 || n % 2 === 1) picture.append(svg("text", { class: "tick", x: left + (n + 0.5) * step, y: height - 8, "text-anchor": "middle" }, name));
  });
  return picture;
}

function frame(label, width, height, kind) {
  return svg("svg", { class: `chart ${kind}`, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, preserveAspectRatio: kind === "spark" ? "none" : "xMidYMid meet" });
}

/** Draws a turn's times as a waterfall. Pure: takes a record, returns nodes (see dom.js). */

import { h } from "./dom.js";
import { SAMPLE_MS } from "./record.js";
import { duration, tokens } from "./units.js";

const ROW_PX = 30;
const BAR_PX = 8;
const BAR_TOP_PX = 17;
const LABEL_PX = 12; // from a row's top to its baseline
const RATE_PX = 46;
const TOP_PX = 8;
const MIN_DRAWN_GAP_MS = 2000;
const MIN_LISTED_GAP_MS = 1000;

/** The rows: name, kind, start and end. Times that are not known yet are undefined. */
function rows(record, now) {
  const { marks, timings } = record;
  const end = marks.end ?? now;
  const output = marks.output ?? end;
  const summarized = marks.prompt_summary;
  const thinking = marks.reasoning ?? timings?.first_reasoning_ms ?? marks.summary;
  return [
    { name: "Prompt summary", kind: "prompt", from: 0, to: summarized },
    {
      name: "Waiting for the model",
      kind: "waiting",
      from: summarized ?? 0,
      to: thinking ?? output,
    },
    {
      name: "Thinking",
      kind: "thinking",
      from: thinking,
      to: thinking === undefined ? undefined : output,
    },
    {
      name: "Answering",
      kind: "answering",
      from: marks.output,
      to: marks.output === undefined ? undefined : end,
    },
  ];
}

/** A round step that gives the axis at most six marks. */
function axisStep(span) {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough);
}

/** The drawing. `now`: milliseconds since the request was sent; `width`: in pixels. */
export function timeline(record, now, width) {
  const span = Math.max(record.marks.end ?? now, 100);
  const x = (ms) => Math.round((Math.min(ms, span) / span) * (width - 2) * 10) / 10 + 1;
  const shown = rows(record, now);
  const bottom = TOP_PX + shown.length * ROW_PX + RATE_PX;
  return h(
    "svg",
    {
      viewBox: `0 0 ${width} ${bottom + 24}`,
      width: String(width),
      height: String(bottom + 24),
      role: "img",
      "aria-label": description(record, now),
    },
    ...axis(span, x, bottom),
    ...record.gaps
      .filter(({ from, to }) => to - from > MIN_DRAWN_GAP_MS)
      .map(({ from, to }) => gap(x, from, to, bottom)),
    ...shown.flatMap((row, i) => bar(row, TOP_PX + i * ROW_PX, x, width)),
    ...record.lineTimes.map((ms) =>
      h("circle", { class: "line-mark", cx: x(ms), cy: TOP_PX + 2 * ROW_PX + BAR_TOP_PX + BAR_PX / 2, r: "2.5" }),
    ),
    ...rate(record, x, bottom),
  );
}

function axis(span, x, bottom) {
  const step = axisStep(span);
  const marks = Array.from({ length: Math.floor(span / step) + 1 }, (_, i) => i * step);
  return marks.flatMap((ms) => [
    h("line", { class: "grid", x1: x(ms), x2: x(ms), y1: TOP_PX, y2: bottom }),
    h(
      "text",
      {
        class: "axis",
        x: x(ms),
        y: bottom + 16,
        "text-anchor": ms === 0 ? "start" : ms > 0.93 * span ? "end" : "middle",
      },
      ms === 0 ? "0" : duration(ms).replace(".0 s", " s"),
    ),
  ]);
}

const gap = (x, from, to, bottom) =>
  h(
    "rect",
    { class: "gap", x: x(from), y: TOP_PX, width: x(to) - x(from), height: bottom - TOP_PX },
    h("title", {}, `Nothing arrived for ${duration(to - from)}`),
  );

function bar({ name, kind, from, to }, y, x, width) {
  const known = from !== undefined && to !== undefined;
  return [
    h("text", { class: known ? "row" : "row pending", x: "1", y: y + LABEL_PX }, name),
    h(
      "text",
      { class: "row value", x: width - 1, y: y + LABEL_PX, "text-anchor": "end" },
      known ? duration(to - from) : "–",
    ),
    ...(known
      ? [
          h("rect", {
            class: `bar bar-${kind}`,
            x: x(from),
            y: y + BAR_TOP_PX,
            width: Math.max(x(to) - x(from), 2),
            height: BAR_PX,
            rx: "2",
          }),
        ]
      : []),
  ];
}

/** Tokens per second, as an area chart. */
function rate(record, x, bottom) {
  const perSecond = Array.from(record.samples, (tokens) => ((tokens ?? 0) * 1000) / SAMPLE_MS);
  const peak = Math.max(...perSecond, 1);
  const y = (value) => Math.round((bottom - (value / peak) * (RATE_PX - 20)) * 10) / 10;
  const points = perSecond.map((value, i) => `${x((i + 0.5) * SAMPLE_MS)},${y(value)}`);
  if (points.length < 2) return [];
  const [first, last] = [points[0], points.at(-1)].map((point) => point.split(",")[0]);
  return [
    h("polygon", {
      class: "rate-area",
      points: `${first},${bottom} ${points.join(" ")} ${last},${bottom}`,
    }),
    h("polyline", { class: "rate", points: points.join(" ") }),
    h(
      "text",
      { class: "axis", x: "1", y: bottom - RATE_PX + 14 },
      `Peak: ≈ ${Math.round(peak)} tokens/s`,
    ),
  ];
}

/** The figures below the drawing, as pairs of name and value. */
export function figures(record, now) {
  const { marks, timings, reasoningTokens, outputTokens, rate: perSecond, isCounted } = record;
  const at = (ms) => (ms == null ? "–" : duration(ms));
  const currentGap = record.state === "running" ? now - record.lastArrival : 0;
  const longestGap = Math.max(record.longestGapMs, currentGap);
  return [
    ["Prompt summary", at(marks.prompt_summary)],
    ["First reasoning", at(marks.reasoning ?? timings?.first_reasoning_ms)],
    ["First summary line", at(marks.summary)],
    ["First output", at(marks.output)],
    ["End", at(marks.end)],
    ["Longest silence", at(longestGap > MIN_LISTED_GAP_MS ? longestGap : null)],
    ["Reasoning", reasoningTokens ? tokens(reasoningTokens, isCounted) : "–"],
    ["Answer", outputTokens ? tokens(outputTokens, isCounted) : "–"],
    ["Speed", perSecond ? `${isCounted ? "" : "≈ "}${Math.round(perSecond)} tokens/s` : "–"],
  ];
}

function description(record, now) {
  const known = rows(record, now).filter(({ from, to }) => from !== undefined && to !== undefined);
  const times = known.map(({ name, from, to }) => `${name} ${duration(to - from)}`);
  return `Timeline: ${times.join(", ") || "nothing yet"}`;
}

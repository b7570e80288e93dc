/** Draws a turn's times as a waterfall while it happens. Pure: a record in, nodes out (dom.js). */

import { h } from "./dom.js";
import { SAMPLE_MS } from "./record.js";
import { count, duration } from "./words.js";

const ROW = 40;
const BAR = 8;
const RATE = 56;
const TOP = 8;
const SHOWN_GAP_MS = 2000;
const SILENCE_MS = 1000;

/** The rows that the turn has so far: a name, and from when to when. */
function rows(record, now) {
  const { marks, timings } = record;
  const end = marks.end ?? now;
  const output = marks.output ?? end;
  const asked = marks.prompt_summary;
  const thinking = marks.reasoning ?? timings?.first_reasoning_ms ?? marks.summary;
  return [
    { name: "Prompt summary", kind: "asked", from: 0, to: asked },
    { name: "Waiting for the model", kind: "waiting", from: asked ?? 0, to: thinking ?? output },
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

/** A round step of the axis that gives at most six marks. */
function axisStep(span) {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough);
}

/** The drawing, `width` pixels wide. `now`: where the turn is, in its own milliseconds. */
export function timeline(record, now, width) {
  const span = Math.max(record.marks.end ?? now, 100);
  const x = (ms) => Math.round((Math.min(ms, span) / span) * (width - 2) * 10) / 10 + 1;
  const shown = rows(record, now);
  const bottom = TOP + shown.length * ROW + RATE;
  return h(
    "svg",
    {
      viewBox: `0 0 ${width} ${bottom + 24}`,
      width: String(width),
      height: String(bottom + 24),
      role: "img",
      "aria-label": inWords(record, now),
    },
    ...axis(span, x, bottom),
    ...record.gaps
      .filter(({ from, to }) => to - from > SHOWN_GAP_MS)
      .map(({ from, to }) => gap(x, from, to, bottom)),
    ...shown.flatMap((row, at) => bar(row, TOP + at * ROW, x, width)),
    ...record.ticks.map((ms) =>
      h("circle", { class: "line-mark", cx: x(ms), cy: TOP + 2 * ROW + 26, r: "2.5" }),
    ),
    ...rate(record, x, bottom),
  );
}

function axis(span, x, bottom) {
  const step = axisStep(span);
  const marks = Array.from({ length: Math.floor(span / step) + 1 }, (_, at) => at * step);
  return marks.flatMap((ms) => [
    h("line", { class: "grid", x1: x(ms), x2: x(ms), y1: TOP, y2: bottom }),
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
    { class: "gap", x: x(from), y: TOP, width: x(to) - x(from), height: bottom - TOP },
    h("title", {}, `Nothing for ${duration(to - from)}`),
  );

function bar({ name, kind, from, to }, y, x, width) {
  const known = from !== undefined && to !== undefined;
  return [
    h("text", { class: known ? "row" : "row pending", x: "1", y: y + 16 }, name),
    h(
      "text",
      { class: "row value", x: width - 1, y: y + 16, "text-anchor": "end" },
      known ? duration(to - from) : "–",
    ),
    ...(known
      ? [
          h("rect", {
            class: `bar bar-${kind}`,
            x: x(from),
            y: y + 22,
            width: Math.max(x(to) - x(from), 2),
            height: BAR,
            rx: "2",
          }),
        ]
      : []),
  ];
}

/** Tokens a second, as a hill. */
function rate(record, x, bottom) {
  const perSecond = Array.from(record.samples, (tokens) => ((tokens ?? 0) * 1000) / SAMPLE_MS);
  const most = Math.max(...perSecond, 1);
  const y = (value) => Math.round((bottom - (value / most) * (RATE - 20)) * 10) / 10;
  const points = perSecond.map((value, at) => `${x((at + 0.5) * SAMPLE_MS)},${y(value)}`);
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
      { class: "axis", x: "1", y: bottom - RATE + 14 },
      `${Math.round(most)} tokens/s at most`,
    ),
  ];
}

/** The figures beside the drawing: pairs of a name and a value. */
export function figures(record, now) {
  const { marks, timings, reasoningTokens, outputTokens, rate: perSecond } = record;
  const at = (ms) => (ms == null ? "–" : duration(ms));
  const waiting = record.state === "running" ? now - record.lastArrival : 0;
  const silence = Math.max(record.longestGapMs, waiting);
  return [
    ["Prompt summary", at(marks.prompt_summary)],
    ["First reasoning", at(marks.reasoning ?? timings?.first_reasoning_ms)],
    ["First summary line", at(marks.summary)],
    ["First output", at(marks.output)],
    ["End", at(marks.end)],
    ["Longest silence", at(silence > SILENCE_MS ? silence : null)],
    ["Reasoning", reasoningTokens ? count(reasoningTokens, "token") : "–"],
    ["Answer", outputTokens ? count(outputTokens, "token") : "–"],
    ["Speed", perSecond ? `${Math.round(perSecond)} tokens/s` : "–"],
  ];
}

function inWords(record, now) {
  const known = rows(record, now).filter(({ from, to }) => from !== undefined && to !== undefined);
  const times = known.map(({ name, from, to }) => `${name} ${duration(to - from)}`);
  return `Timeline: ${times.join(", ") || "nothing yet"}`;
}

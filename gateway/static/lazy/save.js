/** Saves a conversation as a file. */

import { download } from "../copy.js";

/** The conversation as Markdown: each prompt, what was thought in short, and the answer. */
export function asMarkdown(title, turns) {
  const parts = turns.map(({ record }) => {
    const { prompt, answer, summary, liveSummary, choice, images } = record;
    const thoughts = (summary ?? liveSummary).trim();
    return [
      `## ${choice.model ? `You, to ${choice.model}` : "You"}`,
      ...(images.length ? [`*${images.length} attached images*`] : []),
      prompt,
      "## Answer",
      ...(thoughts ? [thoughts.replace(/^/gm, "> ")] : []),
      answer.trim() || "*No answer.*",
    ].join("\n\n");
  });
  return `${[`# ${title.replace(/\s+/g, " ")}`, ...parts].join("\n\n")}\n`;
}

/** The conversation as JSON: the messages as chat completions have them, and each turn's record. */
export function asJson(title, turns) {
  const messages = turns.flatMap(({ record }) => record.exchange);
  const records = turns.map(({ record }) => record.timeline());
  const details = turns.map(({ record: { summary, liveSummary, trace, answer } }, i) => ({
    ...records[i],
    summary: summary ?? liveSummary,
    trace,
    answer,
  }));
  return `${JSON.stringify({ title, messages, turns: details }, null, 2)}\n`;
}

export function saveAs(kind, { title, turns }) {
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40) || "chat";
  if (kind === "json") download(`${name}.json`, "application/json", asJson(title, turns));
  else download(`${name}.md`, "text/markdown", asMarkdown(title, turns));
}

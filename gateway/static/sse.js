/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * Pure: text goes in, cut anywhere, and whole events come out. As the standard says, an incomplete
 * event at the end of the stream is dropped. Beyond the standard, the parser also returns comments,
 * which serve as heartbeats, and the raw text of each event.
 */

export class SSEParser {
  #line = "";
  #afterCR = false;
  #atStart = true;
  #name = "";
  #data = [];
  #id = "";
  #raw = "";

  /** Returns what `text` completes: events `{event, data, id, raw}`, comments `{comment, raw}`. */
  feed(text) {
    const events = [];
    if (this.#atStart && text) {
      this.#atStart = false;
      if (text.startsWith("\uFEFF")) text = text.slice(1);
    }
    // A CR ends its line at once. An LF right after it, even in the next text, is part of that end.
    if (this.#afterCR && text) {
      this.#afterCR = false;
      if (text.startsWith("\n")) text = text.slice(1);
    }
    const lines = text.split(/\r\n|\r|\n/);
    if (text.endsWith("\r")) this.#afterCR = true;
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop();
    for (const line of lines) {
      const event = this.#feedLine(line);
      if (event) events.push(event);
    }
    return events;
  }

  #feedLine(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return { comment: line.slice(1).trim(), raw: `${line}\n` };
    this.#raw += `${line}\n`;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch() {
    const raw = `${this.#raw}\n`;
    const event = {
      event: this.#name || "message",
      data: this.#data.join("\n"),
      id: this.#id,
      raw,
    };
    const empty = this.#data.length === 0;
    this.#name = "";
    this.#data = [];
    this.#raw = "";
    return empty ? null : event;
  }
}

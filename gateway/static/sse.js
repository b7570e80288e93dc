/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * Pure: text goes in as it arrives, cut anywhere, and whole events come out. An event that the
 * end of the stream cuts short is dropped, as the standard says. Beyond the standard, comments come
 * out as well, because they are signs of life, and each event says which text it was.
 */

export class SSEParser {
  #line = "";
  #afterCR = false;
  #start = true;
  #name = "";
  #data = [];
  #id = "";
  #raw = "";

  /** What `text` completes: events `{event, data, id, raw}` and comments `{comment, raw}`. */
  feed(text) {
    const events = [];
    if (this.#start && text) {
      this.#start = false;
      if (text.startsWith("\uFEFF")) text = text.slice(1);
    }
    // A CR ends its line at once; the LF that may follow, here or in the next chunk, is its half.
    if (this.#afterCR && text) {
      this.#afterCR = false;
      if (text.startsWith("\n")) text = text.slice(1);
    }
    const lines = text.split(/\r\n|\r|\n/);
    if (text.endsWith("\r")) this.#afterCR = true;
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop();
    for (const line of lines) {
      const event = this.#take(line);
      if (event) events.push(event);
    }
    return events;
  }

  #take(line) {
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

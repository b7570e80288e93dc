/** Text that changes while it is on the page. */

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows an error message in a region with the role `alert`; "" removes it. */
export function showAlert(region, message) {
  const error = document.querySelector("#error-template").content.cloneNode(true).firstElementChild;
  setText(error, message);
  region.replaceChildren(...(message ? [error] : []));
}

/** Shows a growing text. A line is an element, so the browser lays out only the last one again. */
export class GrowingText {
  #element;
  #shown = ""; // the whole text of the last call of show()
  #lastLine = null; // its text node
  #pending = ""; // white space that is written when text follows

  constructor(element) {
    this.#element = element;
  }

  /** Makes the element show the text, without leading and trailing white space. */
  show(text) {
    if (text === this.#shown) return;
    if (!text.startsWith(this.#shown)) {
      this.#element.replaceChildren();
      this.#lastLine = null;
      this.#pending = "";
      this.#shown = "";
    }
    this.#pending += text.slice(this.#shown.length);
    this.#shown = text;
    const ready = this.#pending.trimEnd();
    if (!ready) return;
    this.#pending = this.#pending.slice(ready.length);
    this.#append((this.#lastLine ? ready : ready.trimStart()).split("\n"));
  }

  #append([rest, ...lines]) {
    if (this.#lastLine) this.#lastLine.appendData(rest);
    else this.#addLine(rest);
    for (const line of lines) {
      this.#lastLine.appendData("\n");
      this.#addLine(line);
    }
  }

  #addLine(text) {
    this.#lastLine = new Text(text);
    const line = document.createElement("div");
    line.className = "line";
    line.append(this.#lastLine);
    this.#element.append(line);
  }
}

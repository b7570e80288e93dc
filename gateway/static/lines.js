/** Texts that grow, written at most once a frame. */

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says a sentence in a region that is announced; "" takes it away. */
export function alertWith(region, sentence) {
  const error = document.querySelector("#error-template").content.cloneNode(true).firstElementChild;
  setText(error, sentence);
  region.replaceChildren(...(sentence ? [error] : []));
}

/** Shows a growing text. Its lines stand apart, so a browser lays out only the last one again. */
export class Lines {
  #element;
  #shown = ""; // the whole text that was last given
  #last = null;
  #pending = "";

  constructor(element) {
    this.#element = element;
  }

  /** Makes the element show the text, without the white space around it. */
  show(text) {
    if (text === this.#shown) return;
    if (!text.startsWith(this.#shown)) {
      this.#element.replaceChildren();
      this.#last = null;
      this.#pending = "";
      this.#shown = "";
    }
    this.#pending += text.slice(this.#shown.length);
    this.#shown = text;
    const ready = this.#pending.trimEnd();
    if (!ready) return;
    this.#pending = this.#pending.slice(ready.length);
    this.#write((this.#last ? ready : ready.trimStart()).split("\n"));
  }

  #write([rest, ...lines]) {
    if (this.#last) this.#last.appendData(rest);
    else this.#begin(rest);
    for (const line of lines) {
      this.#last.appendData("\n");
      this.#begin(line);
    }
  }

  #begin(text) {
    this.#last = new Text(text);
    const line = document.createElement("div");
    line.className = "line";
    line.append(this.#last);
    this.#element.append(line);
  }
}

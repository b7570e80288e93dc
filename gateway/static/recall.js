/** Recalls earlier prompts with the arrow keys, as a shell does. */

export class Recall {
  #field;
  #prompts;
  #shown = null; // the recalled prompt in the field
  #at = 0; // how far back it is

  /** `prompts()`: the earlier prompts, the newest last. */
  constructor(field, prompts) {
    this.#field = field;
    this.#prompts = prompts;
    field.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event) {
    const { value, selectionStart } = this.#field;
    const isRecalled = value === this.#shown && selectionStart === value.length;
    if (!isRecalled && value) return;
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
    const prompts = this.#prompts();
    const at = Math.min((isRecalled ? this.#at : 0) + step, prompts.length);
    if (at < 0) return;
    event.preventDefault();
    this.#at = at;
    this.#shown = at ? prompts.at(-at) : "";
    this.#field.value = this.#shown;
    this.#field.setSelectionRange(this.#shown.length, this.#shown.length);
  }
}

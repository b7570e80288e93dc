/** "Answer now": ends the thinking of a running turn. The answer comes in the same stream. */

import { fetchWithKey } from "./key.js";

export class AnswerNow {
  #button;
  #onRefusal;
  #streamId = null;

  /** `onRefusal`: called with why the thinking can't be ended. */
  constructor(button, onRefusal) {
    this.#button = button;
    this.#onRefusal = onRefusal;
    button.addEventListener("click", () => this.#ask());
  }

  /** A turn runs, whose stream has this id; null: none does, or its id is not known yet. */
  set streamId(id) {
    this.#streamId = id;
    this.#button.disabled = false;
    this.#button.hidden = true;
  }

  /** Shows the button while the model thinks. */
  paint(isThinking) {
    this.#button.hidden = !(isThinking && this.#streamId);
  }

  async #ask() {
    const id = this.#streamId;
    this.#button.disabled = true;
    const refusal = await refusalOf(id);
    if (refusal && id === this.#streamId) this.#onRefusal(refusal);
  }
}

/** Asks the gateway. Returns why it can't, or "". */
async function refusalOf(id) {
  try {
    const response = await fetchWithKey(`./v1/streams/${id}/answer`, { method: "POST" });
    if (response.ok) return "";
    const { error } = await response.json();
    return error.message;
  } catch {
    return "The gateway cannot be reached.";
  }
}

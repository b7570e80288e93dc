/** The conversation on the page: runs its turns and draws them. */

import { Conversation, newTurn } from "./conversation.js";
import { fetchWithKey } from "./key.js";
import { chosenModel } from "./models.js";
import { Pace } from "./pace.js";
import { Record } from "./record.js";
import { requestFor } from "./request.js";
import { chosen } from "./settings.js";
import { setText } from "./text.js";
import { TurnView } from "./turn-view.js";
import { resumeTurn, runTurn, STOPPED } from "./turn.js";
import { clock, duration } from "./units.js";

const RUNNING_STATUS = { waiting: "Waiting…", reasoning: "Thinking…", answer: "Answering…" };

const FINAL_STATUS = {
  done: ({ marks, finishReason }) => {
    const cutOff = finishReason === "length" ? ", cut off at the token limit" : "";
    return `Done in ${duration(marks.end)}${cutOff}`;
  },
  failed: ({ marks }) => `Failed after ${duration(marks.end)}`,
  stopped: () => "Stopped",
};

/** The status of a turn in words. */
export const statusOf = (record) =>
  FINAL_STATUS[record.state]?.(record) ?? RUNNING_STATUS[record.phase];

export class Chat {
  conversation = new Conversation();
  /** The running turn with its AbortController, or null. */
  running = null;
  inspector;
  #ui;
  #template;
  #scroll;
  #answerNow;
  #onAction;
  #pace = new Pace();

  /** `ui`: the elements turns, status, clock, send, stop, prompt, latest; `onAction(name, turn,
   * button)`: called when a button of a turn is clicked. */
  constructor({ ui, template, scroll, inspector, answerNow, onAction }) {
    this.inspector = inspector;
    this.#ui = ui;
    this.#template = template;
    this.#scroll = scroll;
    this.#answerNow = answerNow;
    this.#onAction = onAction;
    // A library has arrived that draws formulas or colours code.
    ui.turns.addEventListener("redrawn", () => scroll.follow());
  }

  /** Shows a conversation of the library or of the tab; resumes its turn if that still runs. */
  open(id, saved) {
    this.leave();
    this.conversation.restore(id, saved);
    this.redraw();
    setText(this.#ui.status, "Ready");
    const { last, turns } = this.conversation;
    const drawn = Promise.all(turns.map(({ view }) => view.ready));
    drawn.then(() => scrollTo(0, document.scrollingElement.scrollHeight));
    if (last?.record.canResume) this.#resume(last);
  }

  clear() {
    const turn = this.running?.turn;
    this.stop();
    turn?.record.apply(STOPPED, performance.now() - turn.sentAt); // before it is saved
    this.conversation.save();
    this.conversation.clear();
    this.redraw();
    setText(this.#ui.status, "Ready");
  }

  /** Runs a turn from the request to its end. `index`: its place, if not the next one. */
  async ask(prompt, { images = [], index = this.conversation.turns.length } = {}) {
    const choice = { ...chosen(), model: chosenModel() };
    const history = this.conversation.historyBefore(index);
    const record = new Record({ prompt, choice, history, images });
    const turn = newTurn(record);
    turn.sentAt = performance.now();
    this.conversation.put(index, turn);
    this.redraw();
    const request = requestFor(record.messages, choice);
    await this.#watch(turn, (signal, onRead) =>
      runTurn(request, choice, signal, onRead, (id) => {
        record.streamId = this.#answerNow.streamId = id;
        this.conversation.save();
      }),
    );
  }

  /** Sends the last prompt again. The old answer stays as another version. */
  regenerate() {
    const { last, turns } = this.conversation;
    if (this.running || !last) return;
    const { prompt, images } = last.record;
    this.ask(prompt, { images, index: turns.length - 1 });
  }

  /** Adds finished turns at one place, as versions; the last one is shown. */
  adopt(finished) {
    const index = this.conversation.turns.length;
    for (const { record, events, sentAt } of finished) {
      this.conversation.put(index, Object.assign(newTurn(record), { events, sentAt }));
    }
    this.redraw();
    this.conversation.save();
    this.#scroll.scrollToEnd();
  }

  showVersion(turn, step) {
    if (this.running) return;
    this.conversation.showVersion(turn, step);
    this.redraw();
    this.conversation.save();
  }

  /** Stops the running turn, and its model. */
  stop() {
    if (!this.running) return;
    const { streamId } = this.running.turn.record;
    this.running.abort.abort();
    // A kept turn goes on without its client, until it is told to stop.
    if (streamId) fetchWithKey(`./v1/streams/${streamId}`, { method: "DELETE" }).catch(() => {});
  }

  /** Stops reading the running turn. It goes on, and can be read when its conversation is opened. */
  leave() {
    if (!this.running) return;
    this.conversation.save();
    const { abort } = this.running;
    this.#finish();
    abort.abort();
  }

  /** Reads on in a turn that was running when the page was left. */
  async #resume(turn) {
    const { record } = turn;
    turn.sentAt = performance.now() - (Date.now() - record.startedAt);
    await this.#watch(turn, (signal, onRead) => {
      this.#answerNow.streamId = record.streamId;
      return resumeTurn(record.streamId, record.steps, record.choice, signal, onRead);
    });
  }

  /** Shows a running turn until it has ended. */
  async #watch(turn, run) {
    const { record } = turn;
    const watched = { turn, abort: new AbortController() };
    this.running = watched;
    setText(this.#ui.status, RUNNING_STATUS[record.phase]);
    this.#showRunning(true);
    this.#scroll.scrollToEnd();
    requestAnimationFrame(() => this.#draw());
    await run(watched.abort.signal, (steps, events) => {
      if (this.running !== watched) return; // another conversation has been opened
      const now = performance.now() - turn.sentAt;
      turn.events.push(...events);
      for (const step of steps) record.apply(step, now);
      if (turn !== this.conversation.last) return; // the user has started a new chat
      setText(this.#ui.status, statusOf(record));
    });
    if (this.running !== watched) return;
    this.#finish();
    this.conversation.save();
  }

  #finish() {
    this.running = null;
    this.#answerNow.streamId = null;
    this.#showRunning(false);
  }

  #showRunning(isRunning) {
    const { send, stop, prompt, turns } = this.#ui;
    send.hidden = isRunning;
    stop.hidden = !isRunning;
    turns.toggleAttribute("data-running", isRunning);
    const { activeElement, body } = document;
    if (!isRunning && (activeElement === stop || activeElement === body)) {
      prompt.focus({ preventScroll: true });
    }
  }

  /** Makes the page show the conversation's turns. */
  redraw() {
    const { turns } = this.conversation;
    const shown = turns.map((turn, i) => {
      turn.view ??= this.#makeView(turn);
      turn.view.place = {
        title: `Turn ${i + 1}`,
        last: i === turns.length - 1,
        version: turn.versions.indexOf(turn) + 1,
        versions: turn.versions.length,
      };
      return turn.view.element;
    });
    const { children } = this.#ui.turns;
    const kept = shown.findIndex((element, i) => children[i] !== element);
    if (kept >= 0 || children.length > shown.length) {
      const from = kept < 0 ? shown.length : kept;
      for (const element of [...children].slice(from)) element.remove();
      this.#ui.turns.append(...shown.slice(from));
    }
    const { last } = this.conversation;
    if (last) this.inspector.select(last, last.view.place.title);
    this.showLatest();
  }

  #makeView(turn) {
    const { record } = turn;
    const view = new TurnView(record, this.#template);
    for (const button of view.element.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this.#onAction(button.dataset.do, turn, button));
    }
    if (record.state !== "running") view.paint(record.marks.end ?? 0, true);
    return view;
  }

  /** Draws a frame: the turn, the inspector, the clock. Repeats until everything is drawn. */
  #draw() {
    const { running, conversation } = this;
    const start = performance.now();
    const turn = running?.turn ?? conversation.last;
    const now = start - turn?.sentAt;
    const more = turn?.view?.paint(now, this.#scroll.following, this.#pace.chars);
    this.#answerNow.paint(running && turn.record.phase !== "answer");
    setText(this.#ui.clock, running ? ` ${clock(now)}` : "");
    this.inspector.paint({ last: !running });
    this.#scroll.follow();
    this.showLatest();
    if (more) this.#pace.frameTook(performance.now() - start);
    if (running || more) requestAnimationFrame(() => this.#draw());
  }

  /** Shows the button to the latest turn if the page is not scrolled to it. */
  showLatest() {
    this.#ui.latest.hidden = this.#scroll.following || !this.conversation.last;
  }
}

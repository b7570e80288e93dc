/** The inspector, a pane beside the conversation: one turn's timeline and its wire. */

import { copy, download } from "./copy.js";
import { h, patch } from "./dom.js";
import { apiKey } from "./key.js";
import { curl, requestFor } from "./request.js";
import { setText } from "./text.js";
import { figures, timeline } from "./timeline.js";
import { WireView } from "./wire.js";

const DRAW_INTERVAL_MS = 100;

const $ = (selector) => document.querySelector(selector);

export class Inspector {
  #pane = $("#inspector");
  #frame = $("#frame");
  #drawing = $("#drawing");
  #figures = $("#figures");
  #format = $("#curl-format");
  #wire = new WireView({
    list: $("#wire-list"),
    space: $("#wire-space"),
    detail: $("#wire-detail"),
    filter: $("#wire-filter"),
    pause: $("#wire-pause"),
    totals: $("#wire-totals"),
  });
  #turn = null;
  #opener = null; // gets the focus back
  #shown = { svg: [], figures: [] };
  #drawnAt = 0;

  constructor() {
    $("#inspector-close").addEventListener("click", () => this.close());
    $("#export-json").addEventListener("click", () => this.#save("json"));
    $("#export-svg").addEventListener("click", () => this.#save("svg"));
    $("#export-png").addEventListener("click", () => this.#save("png"));
    $("#curl").addEventListener("click", ({ currentTarget }) => this.#copyCurl(currentTarget));
    new ResizeObserver(() => this.#draw(true)).observe(this.#drawing);
  }

  get open() {
    return !this.#pane.hidden;
  }

  /** Chooses the turn to show. */
  select(turn, title) {
    this.#turn = turn;
    setText($("#inspector-title"), title);
    this.#format.value = turn.record.choice.format;
    this.paint({ last: true });
  }

  show(opener) {
    this.#opener = opener;
    this.#pane.hidden = false;
    this.#frame.classList.add("inspecting");
    $("#inspector-open").setAttribute("aria-expanded", "true");
    $("#inspector-close").focus({ preventScroll: true });
    this.paint({ last: true });
  }

  close() {
    this.#pane.hidden = true;
    this.#frame.classList.remove("inspecting");
    $("#inspector-open").setAttribute("aria-expanded", "false");
    if (this.#opener?.isConnected) this.#opener.focus({ preventScroll: true });
  }

  /** Draws what is new, if the pane is open. `last`: the turn is over. */
  paint({ last }) {
    if (!this.open || !this.#turn) return;
    this.#draw(last); // before the list, which gets the remaining height
    this.#wire.show(this.#turn);
    this.#wire.paint();
  }

  #draw(force) {
    const now = performance.now();
    if (!this.open || !this.#turn || (!force && now - this.#drawnAt < DRAW_INTERVAL_MS)) return;
    this.#drawnAt = now;
    const { record, sentAt } = this.#turn;
    const elapsed = now - sentAt;
    const svg = [timeline(record, elapsed, Math.max(this.#drawing.clientWidth, 240))];
    const rows = figures(record, elapsed).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value)),
    );
    patch(this.#drawing, this.#shown.svg, svg);
    patch(this.#figures, this.#shown.figures, rows);
    this.#shown = { svg, figures: rows };
  }

  async #save(kind) {
    if (!this.#turn) return;
    const { record } = this.#turn;
    const { png, svgText } = await import("./lazy/export.js");
    const svg = svgText(this.#drawing.firstElementChild);
    const files = {
      json: () => ["application/json", `${JSON.stringify(record.timeline(), null, 2)}\n`],
      svg: () => ["image/svg+xml", svg],
      png: async () => ["image/png", await png(svg)],
    };
    download(`timeline.${kind}`, ...(await files[kind]()));
  }

  #copyCurl(button) {
    const [option] = this.#format.selectedOptions;
    if (!this.#turn || !option) return;
    const { record } = this.#turn;
    const { path } = option.dataset;
    const request = requestFor(record.messages, { ...record.choice, format: option.value, path });
    copy(curl(request, new URL("./", location.href).href, apiKey() !== ""), button);
  }
}

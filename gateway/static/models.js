/** The model picker: what the gateway offers, by family, and any other name. */

import { listModels } from "./turn.js";

const select = document.querySelector("#model");
const field = document.querySelector("#model-name");

export const model = () => select.value || field.value.trim();

/** Whether the gateway has listed a model. */
export const anyListed = () => [...select.options].some(({ value }) => value);

/** Fills the picker; `wanted` is chosen, also when the gateway does not list it. False: the gateway
 * wants another key. */
export async function fillModels(wanted) {
  const listed = await listModels();
  const models = listed ?? [];
  const options = models.map(({ id, family }) => new Option(family ? `${id} · ${family}` : id, id));
  select.replaceChildren(...options, new Option("Other…", ""));
  const ids = models.map(({ id }) => id);
  const first = ids.includes("default") ? "default" : (ids[0] ?? "");
  chooseModel(wanted ?? first);
  return listed !== null;
}

function chooseModel(name) {
  const listed = [...select.options].some(({ value }) => value && value === name);
  select.value = listed ? name : "";
  field.value = listed ? "" : name;
  showField();
}

/** The field for a name is there when no listed model is chosen. */
export function showField() {
  if (select.value) field.value = "";
  field.hidden = select.value !== "";
}

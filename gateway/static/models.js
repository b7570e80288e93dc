/** The model picker: the gateway's models with their family, and a field for any other name. */

import { listModels } from "./turn.js";

const select = document.querySelector("#model");
const field = document.querySelector("#model-name");

/** The chosen model's name, "" if there is none. */
export const chosenModel = () => select.value || field.value.trim();

/** True if the gateway has listed at least one model. */
export const hasListedModels = () => [...select.options].some(({ value }) => value);

/** Fills the picker and chooses `preferred`, even if the gateway does not list it.
 *
 * Returns false if the gateway rejects the API key.
 */
export async function fillModels(preferred) {
  const listed = await listModels();
  const models = listed ?? [];
  const options = models.map(({ id, family }) => new Option(family ? `${id} · ${family}` : id, id));
  select.replaceChildren(...options, new Option("Other…", ""));
  const ids = models.map(({ id }) => id);
  const first = ids.includes("default") ? "default" : (ids[0] ?? "");
  chooseModel(preferred ?? first);
  return listed !== null;
}

function chooseModel(name) {
  const listed = [...select.options].some(({ value }) => value && value === name);
  select.value = listed ? name : "";
  field.value = listed ? "" : name;
  updateNameField();
}

/** Shows the field for a name if no listed model is chosen. */
export function updateNameField() {
  if (select.value) field.value = "";
  field.hidden = select.value !== "";
}

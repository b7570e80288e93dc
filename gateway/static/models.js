/** The model picker: the gateway's models, and a field for any other name. */

import { listModels } from "./turn.js";

/** The owners that the mock names for its models, and how the picker calls them. */
const SCRIPTED = {
  mock: "Scripted models",
  "mock-variants": "Scripted, with other marks",
  "mock-faults": "Faults",
};

const select = document.querySelector("#model");
const field = document.querySelector("#model-name");
const badge = document.querySelector("#scripted");
const family = document.querySelector("#model-family");

let models = []; // {id, owned_by, family, upstream}

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
  models = listed ?? [];
  select.replaceChildren(...options(), new Option("Other…", ""));
  const ids = models.map(({ id }) => id);
  const first = ids.includes("default") ? "default" : (ids[0] ?? "");
  chooseModel(preferred ?? first);
  return listed !== null;
}

/** The models as options. Scripted models and those of several upstreams are in groups. */
function options() {
  const groups = new Map(Object.values(SCRIPTED).map((label) => [label, []]));
  const severalUpstreams = new Set(models.map(({ upstream }) => upstream)).size > 1;
  for (const { id, owned_by, upstream } of models) {
    const label = SCRIPTED[owned_by] ?? (severalUpstreams ? upstream : "");
    groups.set(label, [...(groups.get(label) ?? []), new Option(id, id)]);
  }
  return [...groups].flatMap(([label, members]) => {
    if (!label || !members.length) return members;
    const group = document.createElement("optgroup");
    group.label = label;
    group.append(...members);
    return [group];
  });
}

function chooseModel(name) {
  const listed = [...select.options].some(({ value }) => value && value === name);
  select.value = listed ? name : "";
  field.value = listed ? "" : name;
  showChosen();
}

/** Shows what belongs to the chosen model: the field for a name, its family, the badge. */
export function showChosen() {
  if (select.value) field.value = "";
  field.hidden = select.value !== "";
  // A scripted model takes its settings behind an @.
  const name = chosenModel().split("@")[0];
  const model = models.find(({ id }) => id === name);
  const isScripted = model?.owned_by in SCRIPTED;
  badge.hidden = !isScripted;
  family.textContent = model?.family ?? "";
  family.parentElement.hidden = !model?.family;
  for (const example of document.querySelectorAll("[data-scripted]")) example.hidden = !isScripted;
}

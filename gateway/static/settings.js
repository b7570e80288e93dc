/** What the reader has chosen: in the controls marked `data-setting`, in the storage, in a link. */

const KEY = "settings";
const controls = () => [...document.querySelectorAll("[data-setting]")];

/** The settings as the controls show them: numbers as numbers, empty controls left out. */
function values() {
  const choice = {};
  for (const { dataset, type, value } of controls()) {
    if (value !== "") choice[dataset.setting] = type === "number" ? Number(value) : value;
  }
  return choice;
}

/** The settings, and the path of the API that has the chosen format. */
export function chosen() {
  const { path } = document.querySelector("#format").selectedOptions[0].dataset;
  return { ...values(), path };
}

/** Makes the controls show a choice, as far as they offer it. */
export function choose(choice) {
  for (const control of controls()) {
    const value = choice[control.dataset.setting];
    if (value === undefined) continue;
    const offered =
      !control.options || [...control.options].some((option) => option.value === value);
    if (offered) control.value = value;
  }
}

export function save() {
  try {
    localStorage.setItem(KEY, JSON.stringify(values()));
  } catch {
    // Storage is full or forbidden: the choice holds until the page is left.
  }
}

/** The choice to begin with: the link's, else the one of the last visit. */
export function remembered() {
  const shared = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (Object.keys(shared).length) {
    history.replaceState(null, "", location.pathname + location.search);
    return shared;
  }
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** An address that opens the page with this choice, and with a prompt if there is one. */
export function link(prompt) {
  const members = { ...values(), ...(prompt ? { prompt } : {}) };
  return `${location.origin}${location.pathname}#${new URLSearchParams(members)}`;
}

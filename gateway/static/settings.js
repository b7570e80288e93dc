/** The user's settings: in the controls with `data-setting`, in local storage, and in links. */

const STORAGE_KEY = "settings";
const controls = () => [...document.querySelectorAll("[data-setting]")];

/** The values of the controls: numbers as numbers, empty controls left out. */
function values() {
  const settings = {};
  for (const { dataset, type, value } of controls()) {
    if (value !== "") settings[dataset.setting] = type === "number" ? Number(value) : value;
  }
  return settings;
}

/** The settings, and `path`: that of the API that has the chosen format. */
export function chosen() {
  const { path } = document.querySelector("#format").selectedOptions[0].dataset;
  return { ...values(), path };
}

/** Sets the controls. A value that a control does not offer is ignored. */
export function choose(settings) {
  for (const control of controls()) {
    const value = settings[control.dataset.setting];
    if (value === undefined) continue;
    const offered =
      !control.options || [...control.options].some((option) => option.value === value);
    if (offered) control.value = value;
  }
}

export function save() {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(values()));
  } catch {
    // Storage is full or forbidden: the settings are kept until the page is closed.
  }
}

/** The settings to start with: those of the link, or else those of the last visit. */
export function initial() {
  const fromLink = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (Object.keys(fromLink).length) {
    history.replaceState(null, "", location.pathname + location.search);
    return fromLink;
  }
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY)) ?? {};
  } catch {
    return {};
  }
}

/** A link that opens the page with these settings, and with the prompt if it is not empty. */
export function link(prompt) {
  const members = { ...values(), ...(prompt ? { prompt } : {}) };
  return `${location.origin}${location.pathname}#${new URLSearchParams(members)}`;
}

/** The user's API key, from its field in the options. The tab's session storage keeps it.
 *
 * The key is no setting: links to the settings and curl commands do not contain it.
 */

const STORAGE_KEY = "key";
const field = document.querySelector("#key");

/** Restores the key after a reload. */
export function restoreKey() {
  try {
    field.value = sessionStorage.getItem(STORAGE_KEY) ?? "";
  } catch {
    // The browser forbids storage.
  }
  showField();
}

export function saveKey() {
  try {
    sessionStorage.setItem(STORAGE_KEY, field.value);
  } catch {
    // The browser forbids storage: the key is kept until the page is closed.
  }
}

/** The key, "" if there is none. Pasted text may contain invisible characters; they are removed. */
export const apiKey = () => field.value.replace(/[^ -~]/g, "").trim();

/** `fetch` with the key, if there is one. A 401 makes the field for the key visible. */
export async function fetchWithKey(path, { headers, ...options }) {
  const authorization = apiKey() ? { Authorization: `Bearer ${apiKey()}` } : {};
  const response = await fetch(path, { ...options, headers: { ...headers, ...authorization } });
  if (response.status === 401) showField(true);
  return response;
}

function showField(visible = field.value !== "") {
  field.parentElement.hidden = !visible;
}

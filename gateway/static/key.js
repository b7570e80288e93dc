/** The reader's key: typed in the drawer, where the gateway has asked for one, and kept in this tab.
 *
 * It is no setting: neither a link to the settings nor a curl command has it.
 */

const KEY = "key";
const field = document.querySelector("#key");

/** Shows the key of before a reload. */
export function rememberKey() {
  try {
    field.value = sessionStorage.getItem(KEY) ?? "";
  } catch {
    // Storage is forbidden.
  }
  showField();
}

export function saveKey() {
  try {
    sessionStorage.setItem(KEY, field.value);
  } catch {
    // It holds until the page is left.
  }
}

/** What was typed, without what no key has: what comes with it when it is pasted. */
export const key = () => field.value.replace(/[^ -~]/g, "").trim();

/** `fetch` with the key, if there is one. An answer that asks for one makes the field appear. */
export async function fetchWithKey(path, { headers, ...options }) {
  const ours = key() ? { Authorization: `Bearer ${key()}` } : {};
  const response = await fetch(path, { ...options, headers: { ...headers, ...ours } });
  if (response.status === 401) showField(true);
  return response;
}

function showField(wanted = field.value !== "") {
  field.parentElement.hidden = !wanted;
}

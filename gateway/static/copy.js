/** Copying text to the clipboard, and saving data as a file. */

const FEEDBACK_MS = 1600;

/** Copies the text. For a moment, the button says whether that worked. */
export async function copy(text, button) {
  const copied = await writeToClipboard(text);
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = copied ? "Copied" : "Copy failed";
  setTimeout(() => {
    button.textContent = label;
  }, FEEDBACK_MS);
}

async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

/** The deprecated way: plain HTTP from another machine has no `navigator.clipboard`. */
function copySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}

/** Saves data as a file of the user's. */
export function download(name, type, data) {
  const url = URL.createObjectURL(new Blob([data], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

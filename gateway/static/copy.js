/** Copies a text, and says so on the button that asked for it. */

const SAID_MS = 1600;

export async function copy(text, button) {
  const done = await write(text);
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = done ? "Copied" : "Not allowed";
  setTimeout(() => {
    button.textContent = label;
  }, SAID_MS);
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeFromSelection(text);
  }
}

/** The old way, for pages that came over plain HTTP from another machine. */
function writeFromSelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

/** Offers data as a file. */
export function download(name, type, data) {
  const url = URL.createObjectURL(new Blob([data], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The sheet of keyboard shortcuts. */

const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
const KEYS = [
  [["Enter"], "Send the prompt"],
  [["Shift", "Enter"], "Add a line"],
  [["Esc"], "Stop the answer, or close the inspector"],
  [["↑"], "Recall an earlier prompt, in an empty field"],
  [["/"], "Go to the prompt"],
  [[isMac ? "⌘" : "Ctrl", "K"], "Open the conversations"],
  [["Alt", "N"], "Start a new chat"],
  [["?"], "Show these shortcuts"],
];

const dialog = document.querySelector("#shortcuts");

export function showShortcuts() {
  const list = dialog.querySelector("dl");
  if (!list.children.length) list.append(...KEYS.map(row));
  dialog.showModal();
}

function row([keys, action]) {
  const element = document.createElement("div");
  const term = document.createElement("dt");
  const what = document.createElement("dd");
  what.textContent = action;
  for (const [i, key] of keys.entries()) {
    const each = document.createElement("kbd");
    each.textContent = key;
    term.append(...(i ? [" + ", each] : [each]));
  }
  element.append(term, what);
  return element;
}

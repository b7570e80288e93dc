/** Edits a prompt in its place. */

/** `turn`: the turn's element; `onSend(text)`: called with the new prompt. */
export function editPrompt(turn, prompt, onSend) {
  if (turn.querySelector(".editor")) return;
  const shown = turn.querySelector(".asked");
  const editor = document.querySelector("#edit-template").content.cloneNode(true).firstElementChild;
  const field = editor.querySelector("textarea");
  field.value = prompt;
  const close = () => {
    editor.remove();
    shown.hidden = false;
    turn.querySelector('[data-do="edit"]').focus();
  };
  editor.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return field.focus();
    close();
    onSend(text);
  });
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      if (event.target !== field) return;
      event.preventDefault();
      editor.requestSubmit();
    }
  });
  editor.querySelector("[data-cancel]").addEventListener("click", close);
  shown.hidden = true;
  shown.after(editor);
  field.focus();
  field.setSelectionRange(prompt.length, prompt.length);
}

// Light or dark: the reader's choice, else the system's. A plain script at the head of the page, so
// that the first paint has the right colours.
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden: the system's theme it is
    }
  };
  const shown = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const other = () => (shown() === "dark" ? "light" : "dark");
  const chosen = read();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("#theme");
    const label = () => button.setAttribute("aria-label", `Use the ${other()} theme`);
    button.addEventListener("click", () => {
      root.dataset.theme = other();
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // It holds until the page is left.
      }
      label();
    });
    dark.addEventListener("change", label);
    label();
  });
}

// The theme: the user's choice, or else the system's. A classic script in the head, so that the
// first paint has the right colours.
{
  const root = document.documentElement;
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const readChoice = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // the browser forbids storage
    }
  };
  const shownTheme = () => root.dataset.theme ?? (systemDark.matches ? "dark" : "light");
  const otherTheme = () => (shownTheme() === "dark" ? "light" : "dark");
  const choice = readChoice();
  if (choice === "light" || choice === "dark") root.dataset.theme = choice;

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("#theme");
    const updateLabel = () => button.setAttribute("aria-label", `Use the ${otherTheme()} theme`);
    button.addEventListener("click", () => {
      root.dataset.theme = otherTheme();
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // The browser forbids storage: the choice is kept until the page is closed.
      }
      updateLabel();
    });
    systemDark.addEventListener("change", updateLabel);
    updateLabel();
  });
}

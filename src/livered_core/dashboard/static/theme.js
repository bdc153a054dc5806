/** Light, dark, or as the computer has it. */

const KEY = "livered-theme";
const ORDER = ["auto", "light", "dark"];

/** Read and apply the theme that was chosen; call `changed` whenever colours become others. */
export function setUpTheme(button, changed) {
  let theme = "auto";
  try {
    theme = ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto";
  } catch {
    // The browser keeps nothing for this page.
  }
  const apply = (shown) => {
    if (shown === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", shown);
    button.textContent = `Theme: ${theme}`;
    changed();
  };
  button.addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice lasts as long as the page.
    }
    apply(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  // Paper is white.
  addEventListener("beforeprint", () => apply("light"));
  addEventListener("afterprint", () => apply(theme));
  apply(theme);
}

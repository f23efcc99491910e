// Light or dark: as the system wishes until the button says otherwise.

export function themes(button) {
  const root = document.documentElement;
  const set = (dark) => {
    root.classList.toggle("dark", dark);
    button.textContent = dark ? "Light" : "Dark";
  };
  const wish = matchMedia("(prefers-color-scheme: dark)");
  wish.addEventListener("change", () => set(wish.matches));
  button.addEventListener("click", () => set(!root.classList.contains("dark")));
  set(wish.matches);
}

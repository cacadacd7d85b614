// Light, dark, or as the system has it: the choice is kept where the admin's theme keeps its own, so
// that one choice holds for all pages. In the head and not deferred, so that a page is never drawn
// in the other colours first.
"use strict";
{
  const KEPT = "adminTheme";
  const root = document.documentElement;
  const kept = () => {
    try {
      return JSON.parse(localStorage.getItem(KEPT));
    } catch {
      return null; // a browser that keeps nothing follows the system
    }
  };
  const show = (colours) => {
    for (const name of ["light", "dark"]) root.classList.toggle(name, name === colours);
  };
  show(kept());

  addEventListener("DOMContentLoaded", () => {
    const choices = document.getElementById("colours");
    const mark = (colours) => {
      for (const button of choices.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset.colours === colours));
      }
    };
    mark(kept() ?? "auto");
    choices.hidden = false;
    choices.addEventListener("click", (event) => {
      const colours = event.target.closest("button")?.dataset.colours;
      if (!colours) return;
      show(colours);
      mark(colours);
      try {
        localStorage.setItem(KEPT, JSON.stringify(colours));
      } catch {
        // then the choice is forgotten with the page
      }
    });
  });
}

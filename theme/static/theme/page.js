// What makes the pages nicer; all of them work without.

// Times in the viewer's zone; the UTC of the server stays in the title.
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = format.format(new Date(time.dateTime));
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const said = (await copied(source)) ? "Copied" : "Press Ctrl+C";
    const before = button.textContent;
    button.textContent = said;
    setTimeout(() => (button.textContent = before), 2000);
  });
}

async function copied(source) {
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers give a clipboard to https and localhost only: select it, so that a key does the rest.
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

// A menu closes by Escape, and when the focus or a click goes elsewhere.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

// A form that is on its way is not sent again; its buttons rest until the answer is here, or did not
// come.
const AT_REST_MS = 10_000;

addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // After the browser has read which button it was.
  setTimeout(() => rest(form, true));
  setTimeout(() => rest(form, false), AT_REST_MS);
});

// Back on a page that the browser kept as it was left.
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) rest(form, false);
});

function rest(form, resting) {
  if (!resting) delete form.dataset.sent;
  for (const button of form.elements) {
    if (button.type === "submit") button.disabled = resting;
  }
}

// A refresh that runs: the page looks again by itself until it is over. Without this it is loaded anew.

const LOOK_EVERY_MS = 1000;

async function look() {
  const response = await fetch(location.href);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const running = page.getElementById("running");
  if (!running) {
    location.reload();
    return;
  }
  // The times in the head of it are written by another script, so only what grows is replaced.
  for (const part of ["p", "progress"]) {
    document.querySelector(`#running > ${part}`).replaceWith(running.querySelector(part));
  }
}

setInterval(() => look().catch(() => {}), LOOK_EVERY_MS);

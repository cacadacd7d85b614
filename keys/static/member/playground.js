// The playground: a client of /v1 like any other, which sends a token instead of a key.
// Text of models and of errors is inserted into the page as text, never as HTML.

const byId = (id) => document.getElementById(id);
const room = byId("playground");
const csrf = room.querySelector("[name=csrfmiddlewaretoken]").value;
const turns = byId("turns");

const RENEW_BEFORE_S = 60;
const MOST_PICTURE_BYTES = 10 * 1024 * 1024;
const MODEL_KEPT = "playground-model";

let models = [];
let conversation = []; // as the API takes it
let pictures = []; // data URLs of the next message
let running = null; // the AbortController of the answer that comes
let token = { key: "", text: "", endsAt: 0 };

class Problem extends Error {}

// --- the API ------------------------------------------------------------------------------------

async function bearer() {
  const key = byId("key").value;
  if (token.key !== key || token.endsAt - RENEW_BEFORE_S * 1000 < Date.now()) {
    const response = await fetch(room.dataset.tokenUrl, {
      method: "POST",
      headers: { "X-CSRFToken": csrf },
      body: new URLSearchParams({ key }),
    });
    if (response.status === 401) {
      location.assign(room.dataset.signInUrl);
      throw new Problem("You are signed out. Sign in again.");
    }
    if (!response.ok) throw new Problem(await siteProblem(response));
    const made = await response.json();
    token = { key, text: made.token, endsAt: Date.now() + made.expires_in_s * 1000 };
  }
  return `Bearer ${token.text}`;
}

async function siteProblem(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The key cannot be used (${response.status}). Reload the page.`;
  }
}

async function call(path, body, { requestId, signal }) {
  const response = await fetch(room.dataset.apiUrl + path, {
    method: "POST",
    headers: {
      Authorization: await bearer(),
      "Content-Type": "application/json",
      "X-Request-Id": requestId,
    },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw new Problem(await apiProblem(response));
  return response;
}

async function apiProblem(response) {
  // Whatever is wrong with the token, the next try fetches a new one.
  if (response.status === 401) token.endsAt = 0;
  let text = `The gateway answered ${response.status}.`;
  try {
    text = (await response.json()).error.message;
  } catch {
    // a proxy in between may have answered with something else
  }
  const wait = Number(response.headers.get("retry-after"));
  return wait > 0 && response.status === 429 ? `${text} (${response.status}; try again in ${wait} s)` : text;
}

// The data of each event of a stream, in whole lines, however the bytes are split.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  }
}

function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "play_" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- models -------------------------------------------------------------------------------------

async function loadModels() {
  const chosen = byId("model").value || kept();
  try {
    const response = await fetch(`${room.dataset.apiUrl}/models`, { headers: { Authorization: await bearer() } });
    if (!response.ok) throw new Problem(await apiProblem(response));
    models = (await response.json()).data;
    say("");
  } catch (error) {
    models = [];
    say(error.message);
  }
  const groups = [
    ["Chat", models.filter((model) => kind(model) === "chat")],
    ["Images", models.filter((model) => kind(model) === "images")],
  ];
  byId("model").replaceChildren(
    ...groups
      .filter(([, members]) => members.length)
      .map(([label, members]) => {
        const group = make("optgroup", "");
        group.label = label;
        group.append(...members.map((model) => new Option(model.id, model.id)));
        return group;
      }),
  );
  if (models.some((model) => model.id === chosen && kind(model))) byId("model").value = chosen;
  if (!byId("model").value && !byId("status").textContent) say("This key may use none of the models that the playground can run.");
  showFields();
}

function kind(model) {
  const types = model?.supported_endpoint_types ?? [];
  if (types.includes("openai")) return "chat";
  return types.includes("image-generation") ? "images" : "";
}

function current() {
  return models.find((model) => model.id === byId("model").value);
}

function sees(model) {
  return kind(model) === "chat" && (model.architecture?.input_modalities ?? []).includes("image");
}

function showFields() {
  const model = current();
  const what = kind(model);
  for (const field of room.querySelectorAll("[data-for]")) {
    const wanted = field.dataset.for === "vision" ? sees(model) : field.dataset.for === what;
    const parameter = field.dataset.parameter;
    const known = !parameter || (model?.supported_parameters ?? []).includes(parameter);
    field.hidden = !(wanted && known);
  }
  for (const notice of room.querySelectorAll("[data-key]")) {
    notice.hidden = notice.dataset.key !== byId("key").value;
  }
  if (!sees(model)) setPictures([]);
  byId("about-model").textContent = model ? aboutModel(model) : "";
  byId("send").disabled = !model || running !== null;
}

function aboutModel(model) {
  const price = (text) => `$${Number((Number(text) * 1e6).toPrecision(3))}`;
  const facts = [];
  if (model.context_length) facts.push(`context window of ${model.context_length.toLocaleString()} tokens`);
  if (kind(model) === "chat" && Number(model.pricing?.completion) > 0) {
    facts.push(`${price(model.pricing.prompt)} per million tokens in, ${price(model.pricing.completion)} out`);
  }
  return facts.join(" · ");
}

function kept() {
  try {
    return localStorage.getItem(MODEL_KEPT);
  } catch {
    return null;
  }
}

function keep(model) {
  try {
    localStorage.setItem(MODEL_KEPT, model);
  } catch {
    // then the next visit starts with the first model
  }
}

// --- turns --------------------------------------------------------------------------------------

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function addTurn(className, speaker) {
  byId("empty").hidden = true;
  const turn = make("li", `turn ${className}`);
  turn.append(make("div", "speaker", speaker));
  turns.append(turn);
  return turn;
}

// Text with its ``` blocks as code.
function rendered(text) {
  const parts = document.createDocumentFragment();
  text.split(/^```/m).forEach((part, number) => {
    if (number % 2 === 0) {
      const plain = number ? part.replace(/^[^\n]*\n?/, "") : part;
      if (plain.trim()) parts.append(make("div", "text", plain.trim()));
      return;
    }
    const code = make("code", "", part.replace(/^[^\n]*\n?/, "").replace(/\n$/, ""));
    const block = make("pre", "");
    block.tabIndex = 0;
    block.append(code);
    const frame = make("div", "code");
    frame.append(block);
    parts.append(frame);
  });
  return parts;
}

// Runs a change that makes the page longer, and keeps the end in view if it was in view.
function following(change) {
  const wasAtEnd = innerHeight + scrollY >= document.body.scrollHeight - 80;
  change();
  if (wasAtEnd) scrollTo(0, document.body.scrollHeight);
}

class AnswerTurn {
  constructor(model) {
    this.element = addTurn("answered", model);
    this.element.setAttribute("aria-busy", "true");
    this.thinking = make("details", "thinking");
    this.thinking.append(make("summary", "", "Thinking"), make("div", "text"));
    this.thinking.hidden = true;
    this.body = make("div", "body");
    this.element.append(this.thinking, this.body);
    this.text = "";
    this.reasoning = "";
    this.waiting = false;
  }

  add(delta) {
    this.text += delta.content ?? "";
    this.reasoning += delta.reasoning_content ?? "";
    if (!this.waiting) {
      this.waiting = true;
      requestAnimationFrame(() => this.draw());
    }
  }

  draw() {
    if (!this.waiting) return; // drawn at the end already
    this.waiting = false;
    following(() => {
      this.thinking.hidden = !this.reasoning;
      this.thinking.lastChild.textContent = this.reasoning;
      this.body.replaceChildren(rendered(this.text));
    });
  }

  addPicture(source, description) {
    const link = make("a", "");
    link.href = source;
    link.download = "image";
    const image = make("img", "");
    image.src = source;
    image.alt = description;
    link.append(image);
    image.addEventListener("load", () => following(() => this.body.append(link)));
  }

  fail(text) {
    const problem = make("p", "error", text);
    problem.setAttribute("role", "alert");
    following(() => this.element.append(problem));
  }

  note(text) {
    following(() => this.element.append(make("p", "note", text)));
  }

  end() {
    if (this.waiting) this.draw();
    this.element.removeAttribute("aria-busy");
  }
}

// --- asking -------------------------------------------------------------------------------------

async function ask() {
  const model = current();
  const prompt = byId("prompt").value.trim();
  if (!model || running || (!prompt && !pictures.length)) return;
  const asked = addTurn("asked", "You");
  asked.append(make("div", "text", prompt));
  for (const source of pictures) {
    const image = make("img", "");
    image.src = source;
    image.alt = "Your image";
    asked.append(image);
  }
  const sent = pictures;
  byId("prompt").value = "";
  setPictures([]);
  keep(model.id);

  const turn = new AnswerTurn(model.id);
  const requestId = newRequestId();
  running = new AbortController();
  busy(true);
  let stopped = false;
  try {
    const how = { requestId, signal: running.signal };
    if (kind(model) === "images") await draw(turn, model, prompt, how);
    else await chat(turn, model, prompt, sent, how);
  } catch (error) {
    stopped = error.name === "AbortError";
    if (!stopped) turn.fail(error instanceof Problem ? error.message : "The gateway cannot be reached. Try again.");
  }
  running = null;
  turn.end();
  busy(false);
  await showCost(turn, requestId, stopped);
}

async function chat(turn, model, prompt, sent, how) {
  const content = sent.length
    ? [
        { type: "text", text: prompt || "Describe this." },
        ...sent.map((url) => ({ type: "image_url", image_url: { url } })),
      ]
    : prompt;
  conversation.push({ role: "user", content });
  const system = byId("system").value.trim();
  const body = {
    model: model.id,
    messages: [...(system ? [{ role: "system", content: system }] : []), ...conversation],
    stream: true,
    ...numberIn("temperature", "temperature"),
    ...numberIn("max-tokens", "max_tokens"),
  };
  if (!byId("effort").closest(".field").hidden && byId("effort").value) {
    body.reasoning_effort = byId("effort").value;
  }
  try {
    const response = await call("/chat/completions", body, how);
    for await (const data of events(response)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data);
      if (event.error) throw new Problem(event.error.message);
      if (event.choices?.[0]?.delta) turn.add(event.choices[0].delta);
    }
  } finally {
    // Turns without an answer are not sent again; those with an answer, even a partial one, are.
    if (turn.text) conversation.push({ role: "assistant", content: turn.text });
    else conversation.pop();
  }
}

async function draw(turn, model, prompt, how) {
  const body = { model: model.id, prompt, response_format: "url", n: Number(byId("count").value) || 1 };
  if (byId("size").value) body.size = byId("size").value;
  const answer = await (await call("/images/generations", body, how)).json();
  for (const picture of answer.data) turn.addPicture(picture.url, prompt);
}

function numberIn(id, name) {
  const field = byId(id);
  return field.value === "" || field.closest(".field").hidden ? {} : { [name]: Number(field.value) };
}

// The row exists before the answer ends; after a stop it is written a moment later.
async function showCost(turn, requestId, stopped) {
  const url = room.dataset.answerUrl.replace("ID", requestId);
  for (const pause of stopped ? [200, 500, 1000, 2000] : [0]) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const response = await fetch(url).catch(() => null);
    if (response?.status === 200) {
      const row = await response.json();
      turn.note((stopped ? "Stopped. " : "") + inWords(row));
      say("");
      return;
    }
  }
  if (stopped) turn.note("Stopped.");
  say("");
}

function inWords(row) {
  const words = [];
  if (row.prompt_tokens !== null || row.completion_tokens !== null) {
    words.push(`${count(row.prompt_tokens)} tokens in, ${count(row.completion_tokens)} out`);
  }
  if (row.images) words.push(`${row.images} image${row.images === 1 ? "" : "s"}`);
  words.push(row.cost_shown === null ? "cost unknown" : row.cost_shown);
  if (row.neurons_shown !== null) words.push(`${row.neurons_shown} neurons`);
  words.push(`${(row.duration_ms / 1000).toFixed(1)} s`);
  return words.join(" · ");
}

function count(number) {
  return number === null ? "?" : number.toLocaleString();
}

// --- the page -----------------------------------------------------------------------------------

function say(text) {
  byId("status").textContent = text;
}

function busy(now) {
  byId("stop").hidden = !now;
  byId("send").hidden = now;
  byId("anew").disabled = now;
  say(now ? "Answering …" : "");
  if (!now) byId("prompt").focus();
}

function setPictures(sources) {
  pictures = sources;
  byId("pictures").replaceChildren(
    ...sources.map((source) => {
      const image = make("img", "");
      image.src = source;
      image.alt = "An image to send";
      return image;
    }),
  );
}

function asDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  }
});
byId("choices").addEventListener("submit", (event) => event.preventDefault());
byId("stop").addEventListener("click", () => running?.abort());
byId("anew").addEventListener("click", () => {
  conversation = [];
  turns.replaceChildren();
  byId("empty").hidden = false;
  setPictures([]);
  byId("prompt").focus();
});
byId("key").addEventListener("change", loadModels);
byId("model").addEventListener("change", showFields);
byId("file").addEventListener("change", async (event) => {
  const files = Array.from(event.target.files);
  const small = files.filter((file) => file.size <= MOST_PICTURE_BYTES);
  if (small.length < files.length) say("An image may have 10 MB at most.");
  setPictures([...pictures, ...(await Promise.all(small.map(asDataUrl)))]);
  event.target.value = "";
});

// On a phone the conversation comes first.
if (matchMedia("(max-width: 720px)").matches) byId("settings").open = false;
room.hidden = false;
loadModels();

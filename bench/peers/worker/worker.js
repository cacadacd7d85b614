// The kind of proxy that this gateway replaces: one file at the edge, one shared key, no record of
// anything. It parses each chunk of a stream and writes it anew, as clients are strict.

export default {
  async fetch(request, env) {
    if (request.headers.get("authorization") !== `Bearer ${env.PROXY_API_KEY}`) {
      return failure(401, "invalid_api_key", "Incorrect API key provided.");
    }
    const { pathname } = new URL(request.url);
    if (request.method !== "POST") return failure(404, "not_found", "No such path.");
    let body;
    try {
      body = await request.json();
    } catch {
      return failure(400, "invalid_json", "The body is no JSON.");
    }
    if (pathname === "/v1/chat/completions") return chat(body, env);
    if (pathname === "/v1/images/generations") return image(body, env);
    return failure(404, "not_found", "No such path.");
  },
};

async function chat(body, env) {
  const upstream = await ask(env, "/v1/chat/completions", body);
  if (!upstream.ok) return failure(502, "upstream_error", `Workers AI answered ${upstream.status}.`);
  if (!body.stream) {
    const { choices, usage, id, created } = await upstream.json();
    return Response.json({ id, object: "chat.completion", created, model: body.model, choices, usage });
  }
  return new Response(upstream.body.pipeThrough(rewritten(body.model)), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
  });
}

async function image(body, env) {
  const upstream = await ask(env, `/run/${body.model}`, { prompt: body.prompt });
  if (!upstream.ok) return failure(502, "upstream_error", `Workers AI answered ${upstream.status}.`);
  const { result } = await upstream.json();
  const created = Math.floor(Date.now() / 1000);
  return Response.json({ created, data: [{ b64_json: result.image }] });
}

function ask(env, path, body) {
  return fetch(env.UPSTREAM + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${env.CLOUDFLARE_API_TOKEN}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
}

// Upstream's events → strict chunks: one id, the model that the client named, no null where a text
// belongs.
function rewritten(model) {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  let id;
  return new TransformStream({
    transform(bytes, controller) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop();
      let out = "";
      for (const line of lines) {
        if (!line.startsWith("data:")) continue;
        const data = line.slice(5).trim();
        if (data === "[DONE]") {
          out += "data: [DONE]\n\n";
          continue;
        }
        const event = JSON.parse(data);
        id ??= event.id;
        const chunk = { id, object: "chat.completion.chunk", created: event.created, model, choices: [] };
        for (const { index, delta, finish_reason } of event.choices ?? []) {
          chunk.choices.push({
            index,
            delta: { ...delta, content: delta.content ?? "" },
            finish_reason: finish_reason ?? null,
          });
        }
        if (event.usage) chunk.usage = event.usage;
        out += `data: ${JSON.stringify(chunk)}\n\n`;
      }
      if (out) controller.enqueue(encoder.encode(out));
    },
  });
}

function failure(status, code, message) {
  return Response.json({ error: { message, type: "error", param: null, code } }, { status });
}

// Rounds of Node's SDKs: `node rounds.mjs ORIGIN KEY CASE:MODEL…` prints what came out of each, as
// JSON. In each round the model calls a tool, hears its result and answers.

const [origin, apiKey, ...askedFor] = process.argv.slice(2);
const baseURL = `${origin}/v1`;
const asked = "What is the weather in Paris?";

const cases = {
  // The provider as its documents make it: it stores by default, and refers back to items.
  async "vercel-whole"(model) {
    const { generateText, settings, stepCountIs } = await vercel(model);
    const first = await generateText({ ...settings, stopWhen: stepCountIs(3), prompt: asked });
    const messages = [{ role: "user", content: asked }, ...first.response.messages];
    const again = await generateText({
      ...settings,
      messages: [...messages, { role: "user", content: "Say goodbye" }],
    });
    return { text: first.text, again: again.text, steps: first.steps.length };
  },

  async "vercel-stream"(model) {
    const { streamText, generateText, settings, stepCountIs } = await vercel(model);
    const errors = [];
    const run = streamText({
      ...settings,
      stopWhen: stepCountIs(3),
      prompt: asked,
      onError: ({ error }) => errors.push(String(error)),
    });
    let text = "";
    for await (const piece of run.textStream) text += piece;
    const response = await run.response;
    const again = await generateText({
      ...settings,
      messages: [
        { role: "user", content: asked },
        ...response.messages,
        { role: "user", content: "Say goodbye" },
      ],
    });
    return { text, again: again.text, steps: (await run.steps).length, errors };
  },

  async "anthropic-whole"(model) {
    const last = await (await runner(model, false))().runUntilDone();
    return { text: last.content.at(-1).text, stop: last.stop_reason };
  },

  async "anthropic-stream"(model) {
    let last;
    for await (const stream of (await runner(model, true))()) last = await stream.finalMessage();
    return { text: last.content.at(-1).text, stop: last.stop_reason };
  },

  "agents-responses": (model) => agents(model, true),
  "agents-chat": (model) => agents(model, false),
};

async function vercel(model) {
  const { createOpenAI } = await import("@ai-sdk/openai");
  const { generateText, streamText, stepCountIs, tool } = await import("ai");
  const { z } = await import("zod");
  const tools = {
    get_weather: tool({
      description: "The weather at a place",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `Sunny in ${city}`,
    }),
  };
  const settings = { model: createOpenAI({ baseURL, apiKey })(model), tools, maxRetries: 0 };
  return { generateText, streamText, stepCountIs, settings };
}

// A function, as a runner that is awaited runs at once.
async function runner(model, stream) {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  const { betaZodTool } = await import("@anthropic-ai/sdk/helpers/beta/zod");
  const { z } = await import("zod");
  const client = new Anthropic({ baseURL: origin, apiKey, maxRetries: 0 });
  const body = {
    model,
    max_tokens: 2000,
    stream,
    messages: [{ role: "user", content: asked }],
    tools: [
      betaZodTool({
        name: "get_weather",
        description: "The weather at a place",
        inputSchema: z.object({ city: z.string() }),
        run: async ({ city }) => `Sunny in ${city}`,
      }),
    ],
  };
  return () => client.beta.messages.toolRunner(body);
}

async function agents(model, useResponses) {
  const { Agent, OpenAIProvider, Runner, tool } = await import("@openai/agents");
  const { z } = await import("zod");
  const weather = tool({
    name: "get_weather",
    description: "The weather at a place",
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => `Sunny in ${city}`,
  });
  const runs = new Runner({
    modelProvider: new OpenAIProvider({ baseURL, apiKey, useResponses }),
    tracingDisabled: true,
  });
  const agent = new Agent({ name: "a", model, tools: [weather] });
  const first = await runs.run(agent, asked);
  const input = [...first.history, { role: "user", content: "Say goodbye" }];
  const again = await runs.run(agent, input);
  return { text: first.finalOutput, again: again.finalOutput };
}

const results = {};
for (const asked of askedFor) {
  const [kind, model] = asked.split(":");
  try {
    results[asked] = await cases[kind](model);
  } catch (error) {
    results[asked] = { error: String(error?.stack ?? error).slice(0, 2000) };
  }
}
console.log(JSON.stringify(results));
process.exit(0);

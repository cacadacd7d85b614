// The Vercel AI SDK over `@ai-sdk/openai-compatible`, which checks every chunk against a schema.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { serve } from "./serve.mjs";

function provider({ baseURL, apiKey, includeUsage = true }) {
  const supportsStructuredOutputs = true;
  const name = "gateway";
  return createOpenAICompatible({ name, baseURL, apiKey, includeUsage, supportsStructuredOutputs });
}

function settings(given, more = {}) {
  const { prompt, messages, maxRetries = 0, toolChoice } = given;
  const model = provider(given).chatModel(given.model);
  return { model, prompt, messages, maxRetries, toolChoice, onError() {}, ...more };
}

function weather(called) {
  return {
    get_weather: tool({
      description: "The weather at a place",
      inputSchema: z.object({ location: z.string().describe("a city") }),
      execute: called && (async ({ location }) => {
        called.push(location);
        return `sunny in ${location}`;
      }),
    }),
  };
}

async function gathered(result) {
  const seen = { text: "", reasoning: "", calls: [], finish: null, usage: null, errors: [] };
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "reasoning-delta") seen.reasoning += part.text;
    if (part.type === "tool-call") seen.calls.push({ name: part.toolName, input: part.input });
    if (part.type === "error") seen.errors.push(described(part.error));
    if (part.type === "finish") {
      seen.finish = part.finishReason;
      seen.usage = part.totalUsage;
    }
  }
  return seen;
}

const cases = {
  async text(given) {
    const { text, reasoningText, finishReason, usage } = await generateText(settings(given));
    return { text, reasoning: reasoningText ?? "", finish: finishReason, usage };
  },

  async stream(given) {
    const tools = given.tools ? weather() : undefined;
    return await gathered(streamText(settings(given, { tools })));
  },

  async tools(given) {
    const called = [];
    const more = { tools: weather(called), stopWhen: stepCountIs(4) };
    const { text, steps } = await generateText(settings(given, more));
    return { called, text, steps: steps.length };
  },

  async streamedTools(given) {
    const called = [];
    const more = { tools: weather(called), stopWhen: stepCountIs(4) };
    return { called, ...(await gathered(streamText(settings(given, more)))) };
  },

  async object(given) {
    const schema = z.object({ name: z.string(), population: z.number().int() });
    return (await generateObject(settings(given, { schema }))).object;
  },

  async picture(given) {
    const image = Buffer.from(given.image, "base64");
    const content = [{ type: "text", text: given.prompt }, { type: "image", image }];
    const messages = [{ role: "user", content }];
    return (await generateText(settings({ ...given, prompt: undefined, messages }))).text;
  },

  async image(given) {
    const { images } = await generateImage({
      model: provider(given).imageModel(given.model),
      prompt: given.prompt,
      n: given.n,
      size: given.size,
      maxRetries: 0,
    });
    return images.map(({ base64, mediaType }) => ({ base64, mediaType }));
  },

  async abort(given) {
    const leaving = new AbortController();
    let text = "";
    const result = streamText(settings(given, { abortSignal: leaving.signal }));
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") {
        text += part.text;
        leaving.abort();
      }
      if (part.type === "abort") return text;
    }
    throw new Error("the stream went on to its end");
  },
};

function described(error) {
  const { name, message, statusCode, isRetryable, reason } = error;
  const last = error.lastError && described(error.lastError);
  const body = error.data?.error;
  return { name, message, status: statusCode, isRetryable, reason, last, body };
}

await serve(cases, described);

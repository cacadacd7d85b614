// The `openai` package of Node, as its users call it.

import OpenAI, { toFile } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { serve } from "./serve.mjs";

const City = z.object({ name: z.string(), population: z.number().int() });

function client({ baseURL, apiKey, maxRetries = 0 }) {
  return new OpenAI({ baseURL, apiKey, maxRetries, timeout: 20_000 });
}

function gathered(chunks) {
  const seen = { chunks, text: "", reasoning: "", calls: [], finish: null, usage: null };
  for (const chunk of chunks) {
    seen.usage = chunk.usage ?? seen.usage;
    for (const { delta, finish_reason } of chunk.choices) {
      seen.text += delta.content ?? "";
      seen.reasoning += delta.reasoning_content ?? "";
      seen.finish = finish_reason ?? seen.finish;
      for (const part of delta.tool_calls ?? []) {
        const call = (seen.calls[part.index] ??= { name: "", arguments: "" });
        call.name += part.function.name ?? "";
        call.arguments += part.function.arguments ?? "";
      }
    }
  }
  return seen;
}

const cases = {
  async models(given) {
    const ids = [];
    for await (const model of client(given).models.list()) ids.push(model.id);
    return ids;
  },

  async model(given) {
    return await client(given).models.retrieve(given.model);
  },

  async chat(given) {
    return await client(given).chat.completions.create(given.body);
  },

  async stream(given) {
    const chunks = [];
    const stream = await client(given).chat.completions.create({ ...given.body, stream: true });
    try {
      for await (const chunk of stream) chunks.push(chunk);
    } catch (error) {
      return { ...gathered(chunks), error: described(error) };
    }
    return gathered(chunks);
  },

  // The package's own accumulator, which throws on chunks that do not add up.
  async accumulated(given) {
    return await client(given).chat.completions.stream(given.body).finalChatCompletion();
  },

  async response(given) {
    return await client(given).responses.create(given.body);
  },

  // The package's own accumulator of typed events, and what it makes of a stream that breaks off.
  async responseStream(given) {
    const types = [];
    try {
      const stream = client(given).responses.stream(given.body);
      for await (const event of stream) types.push(event.type);
      return { types, response: await stream.finalResponse() };
    } catch (error) {
      return { types, error: described(error) };
    }
  },

  // Calls the tool and answers with its result until the model has no more calls.
  async tools(given) {
    const called = [];
    const runner = client(given).chat.completions.runTools({
      ...given.body,
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "The weather at a place",
            parameters: {
              type: "object",
              properties: { location: { type: "string", description: "a city" } },
              required: ["location"],
            },
            parse: JSON.parse,
            function: ({ location }) => {
              called.push(location);
              return `sunny in ${location}`;
            },
          },
        },
      ],
    });
    return { called, text: await runner.finalContent() };
  },

  async parse(given) {
    const answer = await client(given).chat.completions.parse({
      ...given.body,
      response_format: zodResponseFormat(City, "city"),
    });
    return answer.choices[0].message.parsed;
  },

  async images(given) {
    return await client(given).images.generate(given.body);
  },

  // Says something, and has it written down as OpenAI's events and with times.
  async audio(given) {
    const { audio } = client(given);
    const spoken = await audio.speech.create({ ...given.speech, response_format: "wav" });
    const bytes = Buffer.from(await spoken.arrayBuffer());
    const file = () => toFile(bytes, "speech.wav");
    const verbose = await audio.transcriptions.create({
      file: await file(),
      model: given.model,
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    const events = [];
    const stream = await audio.transcriptions.create({
      file: await file(),
      model: given.model,
      stream: true,
    });
    for await (const event of stream) events.push(event);
    const english = await audio.translations.create({ file: await file(), model: given.model });
    return {
      media_type: spoken.headers.get("content-type"),
      base64: bytes.toString("base64"),
      verbose,
      events,
      english: english.text,
    };
  },

  async embeddings(given) {
    return await client(given).embeddings.create(given.body);
  },

  async completions(given) {
    const chunks = [];
    const stream = await client(given).completions.create({ ...given.body, stream: true });
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  async moderations(given) {
    return await client(given).moderations.create(given.body);
  },

  async edit(given) {
    const pictures = given.pictures.map((picture, number) =>
      toFile(Buffer.from(picture, "base64"), `${number}.png`, { type: "image/png" }),
    );
    return await client(given).images.edit({ ...given.body, image: await Promise.all(pictures) });
  },

  async abort(given) {
    const stream = await client(given).chat.completions.create({ ...given.body, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    return stream.controller.signal.aborted;
  },

  async requestId(given) {
    const { data, response, request_id } = await client(given)
      .chat.completions.create(given.body)
      .withResponse();
    return { header: response.headers.get("x-request-id"), request_id, own: data._request_id };
  },
};

function described(error) {
  const { message, status, code, type, param, requestID } = error;
  return { name: error.constructor.name, message, status, code, type, param, requestID };
}

await serve(cases, described);

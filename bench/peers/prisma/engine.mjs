#!/usr/bin/env node
// Prisma's query engine as its Python client starts it, from packages alone: the same engine as the
// native one, compiled to WebAssembly. The client speaks GraphQL, this engine only JSON, so that
// queries and answers are translated.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { PrismaPg } from "@prisma/adapter-pg";
import { bindAdapter } from "@prisma/driver-adapter-utils";
import { parse } from "graphql";
import pg from "pg";

const TRACE = "{}";
const NAME_ARRAY = 1003;
const TEXT_ARRAY = 1009;
const CONNECTIONS = 10;

// --- queries: GraphQL → JSON ------------------------------------------------------------------

const ACTIONS = ["find", "create", "update", "upsert", "delete"]
  .flatMap((verb) => ["UniqueOrThrow", "FirstOrThrow", "Unique", "First", "Many", "One"].map((what) => verb + what))
  .concat("aggregate", "groupBy");
const RAW = ["queryRaw", "executeRaw"];

export function asked(text) {
  const field = parse(text, { noLocation: true }).definitions[0].selectionSet.selections[0];
  const name = field.name.value;
  if (RAW.includes(name)) return { action: name, query: selected(field) };
  const action = ACTIONS.find((known) => name.startsWith(known));
  return { modelName: name.slice(action.length), action, query: selected(field) };
}

function selected(field) {
  const selection = {};
  for (const part of field.selectionSet?.selections ?? []) {
    const isPlain = !part.selectionSet && !part.arguments?.length;
    selection[part.name.value] = isPlain || selected(part);
  }
  const told = (field.arguments ?? []).map((one) => [one.name.value, value(one.value)]);
  return { arguments: Object.fromEntries(told), selection };
}

function value(node) {
  switch (node.kind) {
    case "IntValue":
    case "FloatValue":
      return Number(node.value);
    case "NullValue":
      return null;
    case "ListValue":
      return node.values.map(value);
    case "ObjectValue":
      return Object.fromEntries(node.fields.map((one) => [one.name.value, value(one.value)]));
    default:
      return node.value;
  }
}

// --- answers: JSON → what the client knows ----------------------------------------------------

export function answered(answer) {
  if (!answer.data) return answer;
  const [[name, found]] = Object.entries(answer.data);
  return { ...answer, data: { result: name === "queryRaw" ? rows(found) : plain(found) } };
}

/** Values without the names of their types. */
function plain(found) {
  if (Array.isArray(found)) return found.map(plain);
  if (found === null || typeof found !== "object") return found;
  if ("$type" in found) return found.value;
  return Object.fromEntries(Object.entries(found).map(([name, one]) => [name, plain(one)]));
}

/** The native engine parses JSON in rows. */
function rows(found) {
  found.types.forEach((type, column) => {
    if (type !== "json") return;
    for (const row of found.rows) {
      if (typeof row[column] === "string") row[column] = JSON.parse(row[column]);
    }
  });
  return found;
}

// --- the engine -------------------------------------------------------------------------------

async function connected() {
  const folder = new URL("node_modules/@prisma/query-engine-wasm/postgresql/", import.meta.url);
  const glue = await import(new URL("query_engine_bg.js", folder));
  const module = new WebAssembly.Module(readFileSync(new URL("query_engine_bg.wasm", folder)));
  const { exports } = new WebAssembly.Instance(module, { "./query_engine_bg.js": glue });
  glue.__wbg_set_wasm(exports);
  exports.__wbindgen_start?.();
  const options = {
    datamodel: readFileSync(process.env.PRISMA_DML_PATH, "utf8"),
    logLevel: "error",
    logQueries: false,
  };
  const engine = new glue.QueryEngine(options, () => {}, bindAdapter(new PrismaPg(pool())));
  await engine.connect(TRACE);
  return engine;
}

function pool() {
  const url = new URL(process.env.DATABASE_URL);
  url.search = ""; // what is there is for the native engine
  const made = new pg.Pool({ connectionString: url.href, max: CONNECTIONS });
  // The adapter knows no arrays of names, which the native engine reads as texts.
  pg.types.setTypeParser(NAME_ARRAY, pg.types.getTypeParser(TEXT_ARRAY));
  const query = made.query.bind(made);
  made.query = async (...words) => {
    const result = await query(...words);
    for (const field of result.fields ?? []) {
      if (field.dataTypeID === NAME_ARRAY) field.dataTypeID = TEXT_ARRAY;
    }
    return result;
  };
  return made;
}

async function reply(engine, path, text, transaction) {
  if (path === "/status") return { status: "ok" };
  if (path.startsWith("/metrics")) return { counters: [], gauges: [], histograms: [] };
  if (path === "/transaction/start") return JSON.parse(await engine.startTransaction(text, TRACE));
  const [, id, end] = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(path) ?? [];
  if (end === "commit") return JSON.parse(await engine.commitTransaction(id, TRACE));
  if (end === "rollback") return JSON.parse(await engine.rollbackTransaction(id, TRACE));
  const body = JSON.parse(text);
  const ask = async (wanted) => JSON.parse(await engine.query(JSON.stringify(wanted), TRACE, transaction));
  if (!body.batch) return answered(await ask(asked(body.query)));
  const batch = body.batch.map((one) => asked(one.query));
  const answer = await ask({ batch, ...(body.transaction ? { transaction: {} } : {}) });
  return answer.batchResult ? { batchResult: answer.batchResult.map(answered) } : answer;
}

function failure(error) {
  const message = String(error);
  return { errors: [{ error: message, user_facing_error: { is_panic: false, message } }] };
}

async function serve(port) {
  const engine = await connected();
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const text = Buffer.concat(parts).toString();
      const transaction = request.headers["x-transaction-id"];
      const body = await reply(engine, request.url, text, transaction).catch(failure);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    });
  });
  server.keepAliveTimeout = 0;
  server.listen(port, "localhost");
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
}

// The client asks for it before it starts the engine.
const VERSION = "query-engine 393aa359c9ad4a4bb28630fb5613f9c281cde053";

const words = process.argv.slice(2);
if (words.includes("--version")) console.log(VERSION);
if (words.includes("-p")) await serve(Number(words[words.indexOf("-p") + 1]));

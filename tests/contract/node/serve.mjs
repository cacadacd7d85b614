// Answers cases from standard input: one JSON line in, one JSON line out.

import { createInterface } from "node:readline";

export async function serve(cases, describe) {
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await cases[asked.case](asked.given)) ?? null };
    } catch (error) {
      answer = { error: describe(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

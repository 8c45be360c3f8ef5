// OpenAI: nothing it offers recognises a repeated request, so an answer in doubt is paid for, and perhaps lost.
import { defineJob, InDoubtError } from "holdfast";
import { openai } from "holdfast/evidence";
import OpenAI, { type ClientOptions } from "openai";
import { z } from "zod";

// #region contract
export const summarize = defineJob({
  type: "summarize",
  payload: z.strictObject({ text: z.string() }),
  result: z.strictObject({ summary: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 2_000 } },
  timeoutMs: 180_000,
  effects: { ask: { timeoutMs: 60_000, inDoubt: "probe", classify: openai } },
});
// #endregion

// #region handler
export function openOpenAi(options: ClientOptions = {}): OpenAI {
  return new OpenAI({ maxRetries: 0, timeout: 50_000, ...options });
}

export const summarizeHandler = (client: OpenAI) =>
  summarize.handler(async ({ payload: { text }, effect }) => {
    const summary = await effect(
      "ask",
      async ({ key, signal }) => {
        const messages = [{ role: "user" as const, content: `Summarise: ${text}` }];
        const order = { model: "gpt-5-mini", messages, store: true, metadata: { effect: key } };
        const completion = await client.chat.completions.create(order, { signal });
        return contentOf(completion) ?? cutOff();
      },
      { probe: ({ key, signal }) => findCompletion(client, key, signal), assumedResult: () => "" },
    );
    return { summary };
  });

/** Stored completions are found by their metadata. One that is not there may still come, so nothing is ever "not done". */
async function findCompletion(client: OpenAI, key: string, signal: AbortSignal) {
  const found = await client.chat.completions.list({ metadata: { effect: key } }, { signal });
  const content = found.data[0] && contentOf(found.data[0]);
  return content === undefined ? ("unknown" as const) : { done: content };
}

function contentOf({ choices }: OpenAI.ChatCompletion): string | undefined {
  return choices?.[0]?.message.content ?? undefined;
}

function cutOff(): never {
  throw new InDoubtError("OpenAI's answer cannot be read");
}
// #endregion

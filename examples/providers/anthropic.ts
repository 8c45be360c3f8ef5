// Anthropic: nothing recognises a repeated request, and an answer that is lost cannot be read again.
import Anthropic, { type ClientOptions } from "@anthropic-ai/sdk";
import { defineJob, InDoubtError } from "holdfast";
import { anthropic } from "holdfast/evidence";
import { z } from "zod";

// #region contract
export const translate = defineJob({
  type: "translate",
  payload: z.strictObject({ text: z.string() }),
  result: z.strictObject({ translation: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 2_000 } },
  timeoutMs: 180_000,
  effects: { ask: { timeoutMs: 60_000, inDoubt: "hold", classify: anthropic } },
});
// #endregion

// #region handler
export function openAnthropic(options: ClientOptions = {}): Anthropic {
  return new Anthropic({ maxRetries: 0, timeout: 50_000, ...options });
}

export const translateHandler = (client: Anthropic) =>
  translate.handler(async ({ payload: { text }, effect }) => {
    const translation = await effect(
      "ask",
      async ({ signal }) => {
        const messages = [{ role: "user" as const, content: `Translate into German: ${text}` }];
        const message = await client.messages.create(
          { model: "claude-sonnet-5", max_tokens: 1_000, messages },
          { signal },
        );
        const [block] = message.content ?? [];
        if (block?.type !== "text") throw new InDoubtError("Anthropic's answer cannot be read");
        return block.text;
      },
      { assumedResult: () => "" },
    );
    return { translation };
  });
// #endregion

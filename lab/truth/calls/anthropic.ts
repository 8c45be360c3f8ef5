import Anthropic from "@anthropic-ai/sdk";
import { anthropic } from "../inside/evidence.ts";
import { type Calls, type Target, urlOf } from "./call.ts";

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new Anthropic({
    apiKey: "truth",
    baseURL: urlOf(target),
    timeout: target.timeoutMs,
    ...options,
  });
  const answer = await client.messages.create(
    { model: "claude-sonnet-4-5", max_tokens: 9, messages: [{ role: "user", content: "Coffee?" }] },
    { ...(target.signal && { signal: target.signal }) },
  );
  return answer.id;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { maxRetries: 0 }),
  classify: anthropic,
};

import OpenAI from "openai";
import { openai } from "../inside/evidence.ts";
import { type Calls, type Target, urlOf } from "./call.ts";

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new OpenAI({
    apiKey: "truth",
    baseURL: urlOf(target),
    timeout: target.timeoutMs,
    ...options,
  });
  const answer = await client.responses.create(
    { model: "gpt-5", input: "Coffee?" },
    { ...(target.signal && { signal: target.signal }) },
  );
  return answer.id;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { maxRetries: 0 }),
  classify: openai,
};

import { http } from "../inside/evidence.ts";
import { createClient } from "../inside/holdfast.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const client = createClient({ url: urlOf(target), timeoutMs: target.timeoutMs });
  const submitted = await client.submit("order", order, {
    idempotencyKey: target.key,
    ...(target.signal !== undefined && { signal: target.signal }),
  });
  return submitted.id;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

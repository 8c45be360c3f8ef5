import { Agent, RetryAgent, request } from "undici";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

/** It sends PUT again, as HTTP allows for what is idempotent. */
async function send(target: Target, dispatcher: Agent | RetryAgent): Promise<unknown> {
  const { statusCode, headers, body } = await request(`${urlOf(target)}/orders/1`, {
    method: "PUT",
    dispatcher,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
    headersTimeout: target.timeoutMs,
    bodyTimeout: target.timeoutMs,
    signal: target.signal ?? null,
  });
  if (statusCode >= 300)
    throw Object.assign(new Error(`the shop answered ${statusCode}`), { statusCode, headers });
  return ((await body.json()) as { id: string }).id;
}

export const calls: Calls = {
  asIs: (target) => send(target, new RetryAgent(new Agent())),
  asDocumented: (target) => send(target, new Agent()),
  classify: http,
};

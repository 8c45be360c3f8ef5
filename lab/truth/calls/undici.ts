import { request } from "undici";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const { statusCode, headers, body } = await request(`${urlOf(target)}/orders`, {
    method: "POST",
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

async function warmUp(target: Target): Promise<unknown> {
  return await (await request(`${urlOf(target)}/warm`)).body.text();
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: http };

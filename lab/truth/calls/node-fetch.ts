import fetch from "node-fetch";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const response = await fetch(`${urlOf(target)}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
    signal: target.signal ?? null,
  });
  if (!response.ok) throw new Error(`the shop answered ${response.status}`, { cause: response });
  return ((await response.json()) as { id: string }).id;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

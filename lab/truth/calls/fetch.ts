import { http } from "../inside/evidence.ts";
import { type Call, type Calls, order, type Target, urlOf } from "./call.ts";

function request(target: Target): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
    signal: target.signal ?? null,
  };
}

/** Downstream refuses what is sent to the one. */
const urlIn = (target: Target) => `${urlOf(target)}/${target.ask === "refused" ? "refused" : "orders"}`;

const asIs: Call = async (target) => {
  const response = await fetch(urlIn(target), request(target));
  if (!response.ok) throw new Error(`the shop answered ${response.status}`);
  return ((await response.json()) as { id: string }).id;
};

const asDocumented: Call = async (target) => {
  const response = await fetch(urlIn(target), request(target));
  if (!response.ok) throw new Error(`the shop answered ${response.status}`, { cause: response });
  return ((await response.json()) as { id: string }).id;
};

async function warmUp(target: Target): Promise<unknown> {
  return await (await fetch(`${urlOf(target)}/warm`)).text();
}

export const calls: Calls = { asIs, asDocumented, warmUp, classify: http };

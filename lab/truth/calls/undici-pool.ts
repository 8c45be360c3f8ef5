import { Pool } from "undici";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<Pool>();
const open = (target: Target) => new Pool(urlOf(target), { connections: 1 });

/** With a pool that many share: a request waits until its one connection is free. */
async function send(target: Target): Promise<unknown> {
  const { statusCode, headers, body } = await kept
    .of(target.port, () => open(target))
    .request({
      method: "POST",
      path: "/orders",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
      headersTimeout: target.timeoutMs,
      bodyTimeout: target.timeoutMs,
    });
  if (statusCode >= 300)
    throw Object.assign(new Error(`the shop answered ${statusCode}`), { statusCode, headers });
  return ((await body.json()) as { id: string }).id;
}

/** Somebody else's request is on its way, which downstream answers a little later. */
async function occupy(target: Target): Promise<unknown> {
  const busy = kept.keep(target.port, open(target)).request({ method: "GET", path: "/busy" });
  busy.then(({ body }) => body.dump()).catch(() => {});
  return await new Promise((resolve) => setImmediate(resolve));
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp: occupy, classify: http };

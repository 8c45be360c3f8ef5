import { once } from "node:events";
import { Agent, request } from "node:http";
import { json } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<Agent>();
const open = () => new Agent({ keepAlive: true, maxSockets: 1 });

/** With an agent that many share: a request waits until its one connection is free. */
async function send({ host, port, timeoutMs }: Target): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const sent = request({ method: "POST", host, port, path: "/orders", headers, agent: kept.of(port, open) });
  sent.on("error", () => {}); // whoever waits for the response or its body gets it
  sent.setTimeout(timeoutMs, () => sent.destroy(new Error("the shop is slow")));
  sent.end(JSON.stringify(order));
  const [response] = await once(sent, "response");
  const { statusCode } = response;
  if (statusCode >= 300) throw Object.assign(new Error(`the shop answered ${statusCode}`), { statusCode });
  return ((await json(response)) as { id: string }).id;
}

/** Somebody else's request is on its way, which downstream answers a little later. */
async function occupy({ host, port }: Target): Promise<unknown> {
  const busy = request({ host, port, path: "/busy", agent: kept.keep(port, open()) }).end();
  busy.on("response", (response) => response.resume()).on("error", () => {});
  return await once(busy, "finish");
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp: occupy, classify: http };

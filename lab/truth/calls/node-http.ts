import { once } from "node:events";
import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import { json, text } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";

async function send({ protocol, host, port, timeoutMs, signal }: Target): Promise<unknown> {
  const open = protocol === "https" ? requestSecure : requestPlain;
  const request = open({
    method: "POST",
    host,
    port,
    path: "/orders",
    headers: { "content-type": "application/json" },
    ...(signal !== undefined && { signal }),
  });
  request.on("error", () => {}); // whoever waits for the response or its body gets it
  request.setTimeout(timeoutMs, () => request.destroy(new Error("the shop is slow")));
  request.end(JSON.stringify(order));
  const [response] = await once(request, "response");
  const { statusCode, headers } = response;
  if (statusCode >= 300)
    throw Object.assign(new Error(`the shop answered ${statusCode}`), { statusCode, headers });
  return ((await json(response)) as { id: string }).id;
}

async function warmUp({ host, port }: Target): Promise<unknown> {
  const [response] = await once(requestPlain({ host, port, path: "/warm" }).end(), "response");
  return await text(response);
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: http };

import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<ClientRequest>();

function open({ host, port, timeoutMs }: Target): ClientRequest {
  const begun = request({ method: "POST", host, port, path: "/orders" });
  begun.on("error", () => {}); // whoever waits for the response or its body gets it
  begun.setTimeout(timeoutMs, () => begun.destroy(new Error("the shop is slow")));
  begun.flushHeaders();
  return begun;
}

/** Writes the body of a request that was begun before. */
async function send(target: Target): Promise<unknown> {
  const begun = kept.of(target.port, () => open(target));
  begun.end(JSON.stringify(order));
  const [response] = (await once(begun, "response")) as [IncomingMessage];
  const { statusCode = 0 } = response;
  if (statusCode >= 300) throw Object.assign(new Error(`the shop answered ${statusCode}`), { statusCode });
  return ((await json(response)) as { id: string }).id;
}

async function begin(target: Target): Promise<unknown> {
  const [socket] = await once(kept.keep(target.port, open(target)), "socket");
  return socket.connecting ? await once(socket, "connect") : socket;
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp: begin, classify: http };

import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { text } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<ClientHttp2Session>();
const open = (target: Target) => connect(urlOf(target)).on("error", () => {});

/** Over a session that many share, and that was opened before. */
async function send(target: Target): Promise<unknown> {
  const known = kept.of(target.port, () => open(target));
  const session = known.destroyed ? kept.keep(target.port, open(target)) : known;
  const request = session.request({ ":method": "POST", ":path": "/orders" });
  request.on("error", () => {}); // whoever waits for an event or the body gets it
  request.setTimeout(target.timeoutMs, () => request.destroy(new Error("the shop is slow")));
  request.end(JSON.stringify(order));
  const [headers] = await once(request, "response");
  const body = await text(request);
  const status = Number(headers[":status"]);
  if (status >= 300) throw Object.assign(new Error(`the shop answered ${status}`), { status });
  return (JSON.parse(body) as { id: string }).id;
}

async function warmUp(target: Target): Promise<unknown> {
  return await once(kept.keep(target.port, open(target)), "connect");
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: http };

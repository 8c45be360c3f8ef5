import { once } from "node:events";
import { type ClientHttp2Stream, connect } from "node:http2";
import { text } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<ClientHttp2Stream>();

function open(target: Target): ClientHttp2Stream {
  const session = connect(urlOf(target)).on("error", () => {});
  const begun = session.request({ ":method": "POST", ":path": "/orders" });
  begun.on("error", () => {}); // whoever waits for an event or the body gets it
  begun.setTimeout(target.timeoutMs, () => begun.destroy(new Error("the shop is slow")));
  return begun;
}

/** Writes the body of a request that was begun before. */
async function send(target: Target): Promise<unknown> {
  const begun = kept.of(target.port, () => open(target));
  begun.end(JSON.stringify(order));
  const [headers] = await once(begun, "response");
  const body = await text(begun);
  const status = Number(headers[":status"]);
  if (status >= 300) throw Object.assign(new Error(`the shop answered ${status}`), { status });
  return (JSON.parse(body) as { id: string }).id;
}

async function begin(target: Target): Promise<unknown> {
  return await once(kept.keep(target.port, open(target)), "ready");
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp: begin, classify: http };

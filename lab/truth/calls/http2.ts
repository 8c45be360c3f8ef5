import { once } from "node:events";
import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const session = connect(urlOf(target));
  const lost = new Promise<never>((_, reject) => session.once("error", reject));
  lost.catch(() => {});
  try {
    const request = session.request(
      { ":method": "POST", ":path": "/orders", "content-type": "application/json" },
      { ...(target.signal !== undefined && { signal: target.signal }) },
    );
    request.on("error", () => {}); // whoever waits for an event or the body gets it
    request.setTimeout(target.timeoutMs, () => request.destroy(new Error("the shop is slow")));
    request.end(JSON.stringify(order));
    const [headers] = await Promise.race([once(request, "response"), lost]);
    const body = await Promise.race([text(request), lost]);
    const status = Number(headers[":status"]);
    if (status >= 300) throw Object.assign(new Error(`the shop answered ${status}`), { status, headers });
    return (JSON.parse(body) as { id: string }).id;
  } finally {
    session.destroy();
  }
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };

// Receives webhooks without any dependency: `WEBHOOK_SECRET=whsec_… PORT=3001 npx tsx examples/webhook-receiver.ts`
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

// #region verify
/** Whether somebody who knows the secret sent exactly this body, within the last five minutes. */
function isGenuine(secret: string, headers: IncomingHttpHeaders, body: string): boolean {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  const ageSeconds = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (!(ageSeconds <= 5 * 60)) return false;

  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const expected = Buffer.from(`v1,${digest}`);
  return String(signatures)
    .split(" ")
    .map((signature) => Buffer.from(signature))
    .some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
}
// #endregion

const secret = process.env.WEBHOOK_SECRET;
if (!secret?.startsWith("whsec_")) throw new Error("WEBHOOK_SECRET: expected whsec_…");

// In real life: a unique column, written in the same transaction as the effects of the event.
const received = new Set<string>();

const server = createServer(async (request, response) => {
  const body = await text(request);
  if (!isGenuine(secret, request.headers, body)) {
    response.writeHead(401).end();
    return;
  }
  const id = String(request.headers["webhook-id"]);
  if (!received.has(id)) console.log(`took ${body}`);
  received.add(id);
  response.writeHead(204).end();
});
server.listen(Number(process.env.PORT ?? 3001), "127.0.0.1", () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});

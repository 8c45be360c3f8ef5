import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import type { Notice } from "../../src/roles/notices/notice.ts";
import { onTestFinished } from "./test-scope.ts";

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

export interface ReceivedNotice extends Notice {
  readonly webhookId: string;
  /** Of the event. */
  readonly type: string;
  readonly receivedAt: number;
}

/** A receiver of signed notices, as a user writes it: by the library of Standard Webhooks. */
export async function startReceiver() {
  const received: ReceivedNotice[] = [];
  const refused: string[] = [];
  let status = 200;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    try {
      const headers = request.headers as Record<string, string>;
      const event = new Webhook(SECRET).verify(body, headers) as { type: string; data: Notice };
      const webhookId = String(headers["webhook-id"]);
      if (status === 200)
        received.push({ ...event.data, type: event.type, webhookId, receivedAt: Date.now() });
      response.writeHead(status).end("thanks");
    } catch (error) {
      refused.push(String(error));
      response.writeHead(400).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close().closeAllConnections());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notices`,
    received,
    refused,
    answer(next: number) {
      status = next;
    },
  };
}

/** A receiver of Slack's format. */
export async function startChat() {
  const texts: string[] = [];
  const server = createServer(async (request, response) => {
    texts.push(String(JSON.parse(await text(request)).text));
    response.end("ok");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/B0/secret`, texts };
}

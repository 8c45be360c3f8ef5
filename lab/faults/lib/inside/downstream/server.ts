import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { text } from "node:stream/consumers";
import { tally } from "./acts.ts";
import { createHttpTarget } from "./http-target.ts";
import { createMailTarget } from "./mail-target.ts";
import type { Opening } from "./plan.ts";

/** The downstream: opens a target of its own for each call of an effect, which misbehaves as it is asked to. */

/** Longer than an effect may take. */
const OPEN_MS = 20_000;

const control = createServer(async (request, response) => {
  const body = await text(request);
  const answer = request.method === "POST" ? await open(JSON.parse(body) as Opening) : tally();
  response.end(JSON.stringify(answer));
});
control.keepAliveTimeout = 60_000;

async function open({ kind, move }: Opening): Promise<number> {
  const server = kind === "mail" ? createMailTarget(move) : createHttpTarget(move, await refusingPort());
  const port = await listen(server);
  if (move === "refuses connections") await close(server);
  else setTimeout(() => server.close(), OPEN_MS).unref();
  return port;
}

async function refusingPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await close(server);
  return port;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

process.on("disconnect", () => process.exit(1));
process.on("SIGTERM", () => process.exit(0));
const port = await listen(control);
process.send?.({ ready: true, url: `http://127.0.0.1:${port}/` });

import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Downstream, listen } from "./downstream.ts";

const LATE_MS = 400;

/** A proxy that takes connections at once, and passes on what was sent a while later: a greeting is under way until then. */
export async function openLate(to: Downstream): Promise<Downstream> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, async (client) => {
    sockets.add(client.on("error", () => {}));
    await sleep(LATE_MS);
    const upstream = connect(to.port, to.host);
    sockets.add(upstream.on("error", () => {}));
    client.pipe(upstream).pipe(client);
    client.resume();
  });
  const port = await listen(server);
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await to.stop();
  };
  return { ...to, host: "127.0.0.1", port, stop };
}

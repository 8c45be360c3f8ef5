import { connect, createServer, type Socket } from "node:net";
import type { WireFault } from "../faults/wire.ts";
import type { Acts } from "./acts.ts";
import { type Downstream, listen, nobodyFor } from "./downstream.ts";

/** A real database, which counts what a row wrote. */
export interface Database {
  readonly port: number;
  /** @param name that the row writes under */
  count(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** A proxy in front of a database, for one row. */
export async function openWire(database: Database, fault: WireFault, acts: Acts): Promise<Downstream> {
  if (fault.nowhere !== undefined) return nobodyFor(fault.nowhere);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (fault.at === "login") return void client.resetAndDestroy();
    const upstream = connect(database.port, "127.0.0.1");
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => {}));
    client.on("close", () => upstream.end());
    upstream.on("close", () => client.end());
    pair(client, upstream, `row-${port}`, fault, () => server.close());
  });
  const port = await listen(server);
  // In a long run, an earlier row may have had this port.
  const before = await database.count(`row-${port}`);
  acts.measure = async () => (await database.count(`row-${port}`)) - before;
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { host: "127.0.0.1", port, protocol: "http", stop };
}

/** @param name in the statement that the fault is about */
function pair(client: Socket, upstream: Socket, name: string, fault: WireFault, leave: () => void): void {
  let isWritten = false;
  let isDue = false;
  client.on("data", (chunk) => {
    const isStatement = chunk.includes(name);
    isWritten ||= isStatement;
    const isCommit = isWritten && /commit/i.test(chunk.toString("latin1"));
    isDue ||= fault.at === "commit" ? isCommit : isStatement;
    if (isDue && fault.does === "lose") client.resetAndDestroy();
    else upstream.write(chunk);
  });
  upstream.on("data", (chunk) => {
    if (!isDue || (fault.does === undefined && fault.clock === undefined)) return void client.write(chunk);
    if (fault.isThenGone) leave();
    return misbehave(client, chunk, fault.does);
  });
}

/** @param reply of the database, which is lost */
function misbehave(client: Socket, reply: Buffer, does: WireFault["does"]): void {
  if (does === "reset") client.resetAndDestroy();
  else if (does === "close") client.end();
  else if (does === "break off") client.end(reply.subarray(0, Math.ceil(reply.length / 2)));
  else if (does === "HTTP") client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
}

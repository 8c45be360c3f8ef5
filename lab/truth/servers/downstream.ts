import { createServer, type Server } from "node:net";
import type { Nowhere } from "../faults/fault.ts";

/** What one row's library calls. */
export interface Downstream {
  readonly host: string;
  readonly port: number;
  readonly protocol: "http" | "https";
  stop(): Promise<void>;
}

/** Below the range of ephemeral ports, and each used once in a run: a late repeat must not reach another row's downstream. */
const ports = { from: 10_300, to: 32_000 };
let nextPort = ports.from + Math.floor(Math.random() * (ports.to - ports.from));

/** Nobody listens there. */
const CLOSED_PORT = 1020;

/** Where a call reaches nobody. */
export function nobodyFor(nowhere: Nowhere): Downstream {
  const host = nowhere === "unknown host" ? "nowhere.invalid" : "127.0.0.1";
  return { host, port: CLOSED_PORT, protocol: "http", stop: async () => {} };
}

export async function listen(server: Server): Promise<number> {
  for (;;) {
    const port = nextPort;
    nextPort = port + 1 < ports.to ? port + 1 : ports.from;
    if (await listensAt(server, port)) return port;
  }
}

function listensAt(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off("listening", onListening);
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    const onListening = () => {
      server.off("error", onError);
      resolve(true);
    };
    server.once("error", onError).once("listening", onListening).listen(port, "127.0.0.1");
  });
}

/** A port that nobody listens at yet, for a program that opens it itself. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { once } from "node:events";
import type { Server } from "node:net";
import { HoldfastError } from "../errors/holdfast-error.ts";

const loopback = "127.0.0.1";

/**
 * Listens where this machine alone can connect: on the preferred port or, when that is taken, on any free one.
 *
 * @param preferredPort 0 for any free one
 * @returns host and port, as they stand in a URL
 * @throws HoldfastError `START_FAILED` when it can listen on neither
 */
export async function listenOnLoopback(server: Server, preferredPort: number): Promise<string> {
  try {
    return await listen(server, preferredPort).catch((error: unknown) => {
      if (!isPortTaken(error)) throw error;
      return listen(server, 0);
    });
  } catch (cause) {
    throw new HoldfastError("START_FAILED", `The mailbox cannot listen on ${loopback}:${preferredPort}`, {
      cause,
    });
  }
}

async function listen(server: Server, port: number): Promise<string> {
  server.listen(port, loopback);
  await once(server, "listening");
  const address = server.address();
  return `${loopback}:${typeof address === "object" ? address?.port : address}`;
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

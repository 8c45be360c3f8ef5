import { once } from "node:events";
import type { Server } from "node:net";
import { HoldfastError } from "../../src/platform/errors/holdfast-error.ts";

const loopback = "127.0.0.1";

/**
 * Listens on loopback: on the preferred port, or on any free one if that is in use.
 *
 * @param preferredPort 0 for any free port
 * @returns `host:port`
 * @throws HoldfastError `START_FAILED` if it can listen on neither
 */
export async function listenOnLoopback(server: Server, preferredPort: number): Promise<string> {
  try {
    return await listen(server, preferredPort).catch((error: unknown) => {
      if (!isPortInUse(error)) throw error;
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

function isPortInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

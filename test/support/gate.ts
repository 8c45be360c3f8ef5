import { once } from "node:events";
import { Redis } from "ioredis";

const keyOf = (name: string) => `gate:${name}`;

/** Waits in any process until somebody opens the gate. Rejects with the signal's reason if that comes first. */
export async function passGate(redisUrl: string, name: string, signal: AbortSignal): Promise<void> {
  const client = new Redis(redisUrl, { maxRetriesPerRequest: null });
  client.on("error", () => {});
  try {
    const opened = client.blmove(keyOf(name), keyOf(name), "LEFT", "LEFT", 0); // it stays open for the others
    opened.catch(() => {});
    await Promise.race([opened, once(signal, "abort")]);
    signal.throwIfAborted();
  } finally {
    client.disconnect();
  }
}

/** Opens a gate for everybody, permanently. */
export async function openGate(redisUrl: string, name: string): Promise<void> {
  const client = new Redis(redisUrl);
  await client.rpush(keyOf(name), "open");
  client.disconnect();
}

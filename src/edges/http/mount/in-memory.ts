import type { Duplex } from "node:stream";

const inMemory = new WeakSet<Duplex>();

/** Notes that a connection has no network between its ends. */
export function markInMemory(connection: Duplex): void {
  inMemory.add(connection);
}

export function isInMemory(connection: Duplex): boolean {
  return inMemory.has(connection);
}

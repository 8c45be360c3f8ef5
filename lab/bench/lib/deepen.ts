import { readFileSync } from "node:fs";
import type { Contestant } from "./contestants.ts";
import { startDriver } from "./driver.ts";
import type { ConnectedRedis } from "./store.ts";

const script = readFileSync(new URL("deepen.lua", import.meta.url), "utf8");
const COPIES_AT_ONCE = 10_000;

/**
 * Fills the queue with one submitted job, the oldest, and copies of it, because a million submissions would take too long.
 *
 * @returns the oldest job's id
 */
export async function deepen(
  store: ConnectedRedis,
  { module, keys }: Contestant,
  count: number,
): Promise<string> {
  const driver = await startDriver(module, store.url);
  await driver.drive({ task: "fill", count: 1 });
  await driver.end();
  const id = (await store.client.lindex(keys.waiting, -1)) ?? "";
  const prefix = keys.waiting.slice(0, -"wait".length);
  const [dedupKey = ""] = await store.client.keys(`${prefix}de:*`);
  for (let from = 1; from < count; from += COPIES_AT_ONCE) {
    const to = Math.min(from + COPIES_AT_ONCE, count) - 1;
    await store.client.eval(script, 1, keys.waiting, prefix, id, from, to, dedupKey);
  }
  const found = await store.client.llen(keys.waiting);
  if (found !== count) throw new Error(`${count} jobs should wait, ${found} do`);
  return id;
}

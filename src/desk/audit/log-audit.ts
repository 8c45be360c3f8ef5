import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { entryOf } from "./audit-log.ts";

const takeUnlogged = loadScript(import.meta.url, "take-audit.lua", listOf(tuple(text, listOf(text))));
const EVERY_MS = 2_000;
const AT_ONCE = 200;

/**
 * Logs what the audit logs get, for those who keep the log longer: whoever did it, over HTTP, by the command line or a worker. Of many
 * processes, one logs an entry; one that dies at that moment loses it. Ends with one more look.
 */
export async function startAuditLogging(queues: readonly QueueStore[], log: Logger): Promise<Running> {
  const logNew = async (store: QueueStore) => {
    const { client, keys } = store;
    for (;;) {
      const entries = await takeUnlogged.run(client, [keys.audit, keys.own("audit:logged")], [AT_ONCE]);
      for (const [id, fields] of entries) log.info(withoutEmpty(entryOf(store, id, fields)), "audit");
      if (entries.length < AT_ONCE) return;
    }
  };
  // The connection's owner reports errors.
  const look = oneAtATime(async () => {
    await inTime(Promise.all(queues.map(logNew))).catch(() => {});
  });
  const timer = setInterval(() => void look(), EVERY_MS);
  timer.unref();
  await look();
  return {
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (queues.every(({ client }) => client.status === "ready")) await look().then(look);
    }),
  };
}

function withoutEmpty(entry: object): object {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== "" && value !== null));
}

import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopOnce } from "../service/running.ts";
import { duplicate, type StoreClient } from "../store/client.ts";
import { cancelChannel, queueKey } from "../store/keys.ts";
import type { Holds } from "./hold.ts";

/**
 * Ends attempts whose job is cancelled.
 *
 * A message can be lost while the connection is away, so each time it is back the jobs held here are looked at too:
 * a cancelled one bears a mark.
 */
export function followCancellations(
  prefix: string,
  queue: string,
  client: StoreClient,
  holds: Holds,
): Running {
  const subscriber = duplicate(client);
  const channel = cancelChannel(prefix, queue);
  const cancel = (jobId: string) =>
    holds.abort(jobId, new HoldfastError("CANCELLED", "Cancelled by an operator"));
  const checkHeld = async () => {
    for (const jobId of holds.jobIds()) {
      if ((await client.hexists(queueKey(prefix, queue, jobId), "defa")) === 1) cancel(jobId);
    }
  };
  // The client reports its connection's errors; this one shares its fate.
  subscriber.on("error", () => {});
  subscriber.on("message", (_channel: string, jobId: string) => cancel(jobId));
  subscriber.on("ready", () => {
    checkHeld().catch(() => {});
  });
  subscriber.subscribe(channel).catch(() => {});
  return {
    stop: stopOnce(async () => {
      subscriber.disconnect();
    }),
  };
}

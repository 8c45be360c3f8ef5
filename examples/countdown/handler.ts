import { setTimeout as sleep } from "node:timers/promises";
import { countdown } from "./contract.ts";

export const countdownHandler = countdown.handler(
  async ({ payload, attempt, effect, progress, signal, log }) => {
    if (attempt <= payload.failures) throw new Error(`attempt ${attempt} fails, as asked`);

    for (let left = payload.seconds; left > 0; left -= 1) {
      await progress({ left });
      await sleep(1_000, undefined, { signal });
    }
    const launchedAt = await effect("launch", async (launch) => {
      await sleep(5_000, undefined, { signal: launch.signal });
      return new Date().toISOString();
    });
    log.info("lift-off");
    return { launchedAt: launchedAt ?? "some time before" };
  },
);

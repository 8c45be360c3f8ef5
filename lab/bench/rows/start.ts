import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { latencyOf } from "../../lib/statistics.ts";
import { bullmq, type Contestant, holdfast, KEEP_COMPLETED } from "../lib/contestants.ts";
import { remaining } from "../lib/draining.ts";
import { startDriver } from "../lib/driver.ts";
import type { Form, Row, Side } from "../lib/row.ts";
import { freshSide } from "../lib/side.ts";

/** Long enough for the worker to wait for work again. */
const PAUSE_MS = 3;

/** From the call of `submit` in one process to the handler's first line in another, one job at a time. */
export function startRows(form: Form): Row[] {
  const sides = { holdfast: starting(holdfast, form), opponent: starting(bullmq, form) };
  const compared = { unit: "ms", better: "lower", reach: 1.2, sides } as const;
  const note = "a job is submitted when the previous one has ended, to an idle worker";
  return [
    { ...compared, name: "start-p50", title: "Submit to start, idle, p50", measure: "p50", note },
    { ...compared, name: "start-p99", title: "Submit to start, idle, p99", measure: "p99", note },
  ];
}

function starting(contestant: Contestant, { isQuick }: Form): Side {
  const [warmUp, count] = isQuick ? [30, 100] : [100, 400];
  return freshSide(contestant.name, async (store) => {
    const driver = await startDriver(contestant.module, store.url);
    const options = { concurrency: 1, keepCompleted: KEEP_COMPLETED };
    const worker = await contestant.startWorker(store.url, options);
    const time = async () => {
      const started = Promise.race([once(worker.child, "message"), worker.ended]);
      const { at = Number.NaN } = await driver.drive({ task: "submit-one" });
      const [{ startedAt }] = (await started) as [{ readonly startedAt: number }];
      while ((await remaining(store, contestant)) > 0) await sleep(1);
      await sleep(PAUSE_MS);
      return startedAt - at;
    };
    try {
      for (let index = 0; index < warmUp; index += 1) await time();
      const times: number[] = [];
      while (times.length < count) times.push(await time());
      return { measures: { ...latencyOf(times) }, invalid: [] };
    } finally {
      await driver.end();
      await worker.end();
    }
  });
}

import {
  bullmq,
  bullmqGuarded,
  bullmqOnHoldfast,
  bullmqPosting,
  type Contestant,
  holdfast,
  KEEP_COMPLETED,
} from "../lib/contestants.ts";
import { faultsOfDrained, runningTimes, timeDraining } from "../lib/draining.ts";
import { startDriver } from "../lib/driver.ts";
import type { JobType } from "../lib/inside/contestant.ts";
import type { Form, Row, Sample, Side } from "../lib/row.ts";
import { freshSide } from "../lib/side.ts";
import type { ConnectedRedis } from "../lib/store.ts";
import { constantService } from "../lib/submitting.ts";

export const CONCURRENCY = 50;
/** Of effects that a provider refuses now and then. */
const REFUSED_CONCURRENCY = 20;

/** Runs jobs that do nothing, to measure the worker itself. */
export function workRows(form: Form): Row[] {
  const bare = working("BullMQ worker", bullmq, "plain-email", form);
  const compared = { unit: "jobs/s", better: "higher", measure: "perSecond" } as const;
  return [
    {
      ...compared,
      name: "work",
      title: `Worker, no effects, concurrency ${CONCURRENCY}`,
      reach: 0.95,
      sides: { holdfast: working("Holdfast worker", holdfast, "plain-email", form), opponent: bare },
      note: "times are from a job's claim to its end, as BullMQ records them, in whole milliseconds",
    },
    {
      ...compared,
      name: "work-effect",
      title: `Worker, one guarded effect a job, concurrency ${CONCURRENCY}`,
      reach: 0.75,
      sides: {
        holdfast: working("Holdfast worker, effect", holdfast, "welcome-email", form),
        opponent: bare,
      },
      note: "BullMQ's worker has no guard",
    },
    {
      name: "work-request",
      title: `Worker, one effect that sends a request, concurrency ${CONCURRENCY}`,
      unit: "µs/job",
      better: "lower",
      measure: "microseconds",
      reach: 1 / 0.75,
      sides: {
        holdfast: posting("Holdfast worker, effect with a request", holdfast, form),
        opponent: posting("BullMQ worker, a request", bullmqPosting, form),
      },
      note: "the difference of two builds is what seeing the request costs; the provider is a process of its own",
    },
    {
      name: "work-refused",
      title: `Worker, one effect whose request is refused one time in three, concurrency ${REFUSED_CONCURRENCY}`,
      unit: "µs/job",
      better: "lower",
      measure: "microseconds",
      reach: 2,
      sides: {
        holdfast: posting("Holdfast worker, effect with a refused request", holdfast, form, "refused-email"),
        opponent: posting("BullMQ worker, a refused request", bullmqPosting, form, "refused-email"),
      },
      note: "429, and the job is tried again at once; one effect in doubt would make the row invalid",
    },
    {
      ...compared,
      name: "floor-work",
      title: "BullMQ's own worker on Holdfast's jobs",
      sides: {
        holdfast: working("BullMQ worker, Holdfast's jobs", bullmqOnHoldfast, "plain-email", form),
        opponent: bare,
      },
      isExtra: true,
      note: "a floor: what Holdfast's jobs cost BullMQ more, with their idempotency key",
    },
    {
      ...compared,
      name: "floor-effect",
      title: "BullMQ's worker with the least guard there is",
      sides: {
        holdfast: working("BullMQ worker, SET before and after", bullmqGuarded, "plain-email", form),
        opponent: bare,
      },
      isExtra: true,
      note: "a floor: one durable write that the effect waits for, and one that nothing waits for; it checks no lock and knows no doubt",
    },
  ];
}

/** A worker whose jobs each send a request with `fetch`. */
function posting(
  name: string,
  contestant: Contestant,
  form: Form,
  type: "posted-email" | "refused-email" = "posted-email",
): Side {
  return freshSide(name, async (store) => {
    const provider = await constantService.start(store.url);
    try {
      return await drain(store, contestant, type, form, provider.ready.url);
    } finally {
      await provider.end();
    }
  });
}

/** Jobs a second of one worker process, from a full queue. */
export function working(name: string, contestant: Contestant, type: JobType, form: Form): Side {
  return freshSide(name, (store) => drain(store, contestant, type, form));
}

async function drain(
  store: ConnectedRedis,
  contestant: Contestant,
  type: JobType,
  form: Form,
  downstream?: string,
): Promise<Sample> {
  const measured = form.isQuick ? 4_000 : 20_000;
  const count = measured + (form.isQuick ? 2_000 : 6_000);
  const driver = await startDriver(contestant.module, store.url);
  await driver.drive({ task: "fill", count, type });
  await driver.end();
  const worker = await contestant.startWorker(store.url, {
    concurrency: type === "refused-email" ? REFUSED_CONCURRENCY : CONCURRENCY,
    keepCompleted: KEEP_COMPLETED,
    ...(downstream !== undefined && { downstream }),
  });
  try {
    const { perSecond, spent } = await timeDraining(store, contestant, {
      from: measured,
      to: 0,
      pid: worker.child.pid,
    });
    const latency = await runningTimes(store, contestant);
    return {
      measures: { perSecond, microseconds: 1e6 / perSecond },
      spent,
      ...(latency && { latency }),
      invalid: await faultsOfDrained(store, contestant, Math.min(count, KEEP_COMPLETED)),
    };
  } finally {
    await worker.end();
  }
}

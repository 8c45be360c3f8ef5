import { setTimeout as sleep } from "node:timers/promises";
import { bullmq, type Contestant, holdfast } from "../lib/contestants.ts";
import { faultsOfDrained, remaining } from "../lib/draining.ts";
import { startDriver } from "../lib/driver.ts";
import type { JobType } from "../lib/inside/contestant.ts";
import type { Form, Row, Side } from "../lib/row.ts";
import { freshSide } from "../lib/side.ts";
import type { ConnectedRedis } from "../lib/store.ts";
import { CONCURRENCY } from "./work.ts";

const KEEP_ALL = 10_000_000;

/** A job's memory in Redis. */
export function memoryRows(form: Form): Row[] {
  const bare = remembering("BullMQ", bullmq, "plain-email", form);
  const ours = remembering("Holdfast", holdfast, "plain-email", form);
  // Memory hardly varies between rounds.
  const compared = { unit: "bytes/job", better: "lower", rounds: form.isQuick ? 1 : 2 } as const;
  const includes = "Holdfast's includes the idempotency key (a UUID) and what holds it for the retention";
  return [
    {
      ...compared,
      name: "memory-waiting",
      title: "Memory of a waiting job",
      reach: 1.25,
      sides: { holdfast: ours, opponent: bare },
      measure: "waiting",
      note: includes,
    },
    {
      ...compared,
      name: "memory-kept",
      title: "Memory of a kept job",
      reach: 1.25,
      sides: { holdfast: ours, opponent: bare },
      measure: "kept",
      note: includes,
    },
    {
      ...compared,
      name: "memory-effect",
      title: "Memory of a kept job with an effect",
      sides: {
        holdfast: remembering("Holdfast, effect", holdfast, "welcome-email", form),
        opponent: bare,
      },
      measure: "kept",
      note: `${includes}, and the effect's result; BullMQ remembers no effect`,
    },
  ];
}

function remembering(name: string, contestant: Contestant, type: JobType, { isQuick }: Form): Side {
  const count = isQuick ? 5_000 : 20_000;
  return freshSide(name, async (store) => {
    const driver = await startDriver(contestant.module, store.url);
    await driver.drive({ task: "fill", count: 1, type });
    const before = await used(store, contestant);
    await driver.drive({ task: "fill", count, type });
    const waiting = (await used(store, contestant)) - before;
    await runAll(store, contestant);
    const kept = (await used(store, contestant)) - before;
    await driver.end();
    return {
      measures: { waiting: waiting / count, kept: kept / count },
      invalid: await faultsOfDrained(store, contestant, count + 1),
    };
  });
}

async function runAll(store: ConnectedRedis, contestant: Contestant): Promise<void> {
  const options = { concurrency: CONCURRENCY, keepCompleted: KEEP_ALL };
  const worker = await contestant.startWorker(store.url, options);
  try {
    while ((await remaining(store, contestant)) > 0) await sleep(10);
  } finally {
    await worker.end();
  }
}

const PAUSE_MS = 200;

/** Bytes for jobs and their data, without buffers, scripts, and the event stream, whose length is limited. */
async function used({ client }: ConnectedRedis, { keys }: Contestant): Promise<number> {
  await sleep(PAUSE_MS);
  const info = await client.info("memory");
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
  const events = keys.events === undefined ? 0 : await client.memory("USAGE", keys.events, "SAMPLES", 0);
  const notJobs = ["mem_clients_normal", "mem_aof_buffer", "used_memory_scripts_eval"].map(field);
  return field("used_memory") - Number(events ?? 0) - notJobs.reduce((sum, bytes) => sum + bytes, 0);
}

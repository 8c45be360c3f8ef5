import { number } from "../../lib/numbers.ts";
import { bullmq, type Contestant, holdfast } from "../lib/contestants.ts";
import { deepen } from "../lib/deepen.ts";
import { startDriver } from "../lib/driver.ts";
import type { Form, Row, Sample, Side } from "../lib/row.ts";
import { type ConnectedRedis, openStore } from "../lib/store.ts";

const IN_FLIGHT = 128;
const SHALLOW = 1_000;
const WARM_UP_SECONDS = 0.5;
const MICROSECONDS = 1_000_000;

/** Reads the status of the oldest waiting job, which is at the end of BullMQ's list. */
export function statusRows(form: Form): Row[] {
  const deep = form.isQuick ? 100_000 : 1_000_000;
  const ours = reading(holdfast, deep, form);
  return [
    {
      name: "status",
      title: `Status of the oldest of ${number(deep)} waiting jobs`,
      unit: "reads/s",
      better: "higher",
      // The opponent's cost grows with the queue, so the goal is only for this depth.
      ...(form.isQuick ? {} : { reach: 1_000 }),
      sides: { holdfast: ours, opponent: reading(bullmq, deep, form) },
      measure: "perSecond",
      note: `Holdfast's \`producer.status\`, BullMQ's \`getJob\` and \`getState\`, each in a process of its own, ${IN_FLIGHT} in flight`,
    },
    {
      name: "status-flat",
      title: `Holdfast's status, ${number(deep)} against ${number(SHALLOW)} waiting jobs`,
      unit: "µs a read",
      better: "lower",
      reach: 1.2,
      sides: { holdfast: ours, opponent: reading(holdfast, SHALLOW, form) },
      measure: "microseconds",
    },
  ];
}

/** Reads change nothing, so Redis is filled once for all rounds. */
function reading(contestant: Contestant, depth: number, form: Form): Side {
  return {
    name: `${contestant.name} at ${number(depth)}`,
    async open() {
      const store = await openStore();
      const id = await deepen(store, contestant, depth);
      return { sample: () => readStatus(store, contestant, id, form), close: store.stop };
    },
  };
}

/** Measures once, from a producer in its own process. */
export async function readStatus(
  store: ConnectedRedis,
  { module }: Contestant,
  id: string,
  { seconds }: Form,
): Promise<Sample> {
  const driver = await startDriver(module, store.url);
  try {
    const order = { task: "status", id, inFlight: IN_FLIGHT } as const;
    await driver.drive({ ...order, seconds: WARM_UP_SECONDS });
    const { count, milliseconds, latency } = await driver.drive({ ...order, seconds });
    const perSecond = count / (milliseconds / 1_000);
    return { measures: { perSecond, microseconds: MICROSECONDS / perSecond }, latency, invalid: [] };
  } finally {
    await driver.end();
  }
}

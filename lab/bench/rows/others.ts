import { beeQueue, type Contestant, holdfast, platformatic } from "../lib/contestants.ts";
import type { Form, Row } from "../lib/row.ts";
import { inProcess } from "../lib/submitting.ts";
import { working } from "./work.ts";

const IN_FLIGHT = 128;

/** Other queues on Redis, for orientation: they promise other things, so there is no goal. */
export function otherRows(form: Form): Row[] {
  const enqueue = (name: string, contestant: Contestant) =>
    inProcess(name, contestant, { inFlight: IN_FLIGHT }, form);
  const compared = {
    unit: "jobs/s",
    better: "higher",
    measure: "perSecond",
    rounds: 3,
    isExtra: true,
  } as const;
  const submits = enqueue("Holdfast submit", holdfast);
  const works = working("Holdfast worker", holdfast, "plain-email", form);
  const opponents = [
    { name: "bee", contestant: beeQueue, note: "no idempotency key; events are off" },
    { name: "platformatic", contestant: platformatic, note: "deduplicates by job id for an hour" },
  ];
  return opponents.flatMap(({ name, contestant, note }): Row[] => [
    {
      ...compared,
      name: `${name}-submit`,
      title: `Submit in process against ${contestant.name}`,
      sides: { holdfast: submits, opponent: enqueue(contestant.name, contestant) },
      note: `${IN_FLIGHT} in flight; ${note}`,
    },
    {
      ...compared,
      name: `${name}-work`,
      title: `Worker against ${contestant.name}`,
      sides: {
        holdfast: works,
        opponent: working(`${contestant.name} worker`, contestant, "plain-email", form),
      },
    },
  ]);
}

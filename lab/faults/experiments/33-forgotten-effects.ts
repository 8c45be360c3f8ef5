import { setTimeout as sleep } from "node:timers/promises";
import type { StandaloneOperator } from "holdfast";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { type Counts, noCounts } from "../lib/checker.ts";
import { type Context, type Control, type Experiment, sum, untilCaught } from "../lib/experiment.ts";
import type { ActPayload } from "../lib/inside/contracts.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutLedgerOfFailed } from "../lib/mutations.ts";
import { allEnded, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import { outcomeOf, withOperator } from "../lib/with-operator.ts";

const RETENTION_MS = 1_000;
/** When jobs are retried, as a share of the retention after their failure: before it, at it, and after it. */
const retriedAfter = [0.5, 1, 1.2, 2.5] as const;
const retriedBy = ["hand", "act"] as const;
/** Between two other jobs that fail. */
const BUSY_MS = 100;
const KILLED_SHARE = 0.2;
const allowed: ReadonlySet<string> = new Set([
  "done",
  "JOB_NOT_FOUND",
  "JOB_NOT_FAILED",
  "EFFECTS_FORGOTTEN",
]);

interface Round {
  readonly after: number;
  readonly by: "hand" | "act";
}

export const forgottenEffects: Experiment = {
  number: 33,
  title: "The retention passes between a failure and its retry",
  fault:
    "failed jobs are retried around and after the retention, by hand and by act, while other jobs fail and while none does; workers killed inside effects",
  mustHold: "no effect twice; what is forgotten is not retried, and the refusal has a code",
  async run(context) {
    const rounds = retriedAfter.flatMap((after) => retriedBy.map((by) => ({ after, by })));
    const size = context.isQuick
      ? { jobs: 6, rounds: rounds.filter(({ after, by }) => after === 2.5 || (after === 1 && by === "hand")) }
      : { jobs: 30, rounds: [...rounds, ...rounds] };
    const [control, ...all] = await Promise.all([
      ledgerControl({ ...context, random: context.random.fork("control") }),
      retryLate(context, "none", size),
      ...(context.isQuick
        ? []
        : [retryLate({ ...context, random: context.random.fork("busy") }, "some", size)]),
    ]);
    return {
      counts: sum(all.map(({ counts }) => counts)),
      table: {
        head: ["other jobs fail", "retried by", "after", "answer", "times"],
        rows: all.flatMap(({ others, answers }) =>
          [...answers].map(([key, times]) => [others, ...key.split(" "), times]),
        ),
      },
      measured: [`retention ${RETENTION_MS} ms; after: as a share of it`],
      broken: all.flatMap(({ others, counts, answers }) => [
        ...(counts.repeated > 0
          ? [`${counts.repeated} effects were repeated while ${others} of the other jobs failed`]
          : []),
        ...(counts.notEnded > 0 ? [`${counts.notEnded} jobs did not end`] : []),
        ...[...answers.keys()]
          .filter((key) => !allowed.has(key.split(" ")[2] ?? ""))
          .map((key) => `a retry was answered: ${key}`),
      ]),
      controls: [control],
    };
  },
};

interface Size {
  readonly jobs: number;
  readonly rounds: readonly Round[];
}

interface Retried {
  /** How many other jobs fail meanwhile. */
  readonly others: "none" | "some";
  readonly counts: Counts;
  /** How retries were answered: who, when, how. */
  readonly answers: ReadonlyMap<string, number>;
}

/** Long after the sweep has let the ledger go; longer each time, because a busy machine sweeps late. */
const CONTROL_AFTER = 4;
const CONTROL_TRIES = 4;

async function ledgerControl(context: Context): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async (time) => {
    const size: Size = { jobs: 3, rounds: [{ after: CONTROL_AFTER * time, by: "hand" }] };
    const { counts } = await retryLate(context, "none", size, withoutLedgerOfFailed);
    return {
      protection: withoutLedgerOfFailed.name,
      isCaught: counts.repeated > 0,
      seen: `${counts.repeated} effects repeated in ${counts.acknowledged} jobs`,
    };
  });
}

async function retryLate(
  context: Context,
  others: "none" | "some",
  size: Size,
  mutation?: Mutation,
): Promise<Retried> {
  const env = { HOLDFAST_RETENTION_MS: String(RETENTION_MS) };
  const options = { workers: 2, concurrency: 10, env, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    const answers = new Map<string, number>();
    const load = others === "some" ? failOthers(testbed) : undefined;
    await withOperator(testbed, async (operator) => {
      for (const [index, round] of size.rounds.entries()) {
        context.say(`round ${index + 1} of ${size.rounds.length}, ${testbed.deaths.length} kills`);
        const ids = await failAll(testbed, context, `spent-${index}`, size.jobs);
        await sleep(RETENTION_MS * round.after); // the retention is the fault
        for (const answer of await retryAll(operator, round, index, ids)) {
          const key = `${round.by} ${round.after} ${answer}`;
          answers.set(key, (answers.get(key) ?? 0) + 1);
        }
      }
    });
    await load?.end();
    const notEnded = await allEnded(testbed, 60_000);
    const times = [...groupBy(testbed.witnessed(), ({ key }) => key).values()];
    const counts = {
      ...noCounts,
      acknowledged: testbed.client.acknowledged.length,
      faults: size.jobs * size.rounds.length + testbed.deaths.length,
      repeated: times.filter(({ length }) => length > 1).length,
      notEnded: notEnded.size,
    };
    return { others, counts, answers };
  });
}

/** Submits jobs whose effect happens before they fail, and waits until they have. */
async function failAll(
  testbed: Testbed,
  { random }: Context,
  name: string,
  jobs: number,
): Promise<readonly string[]> {
  const ids: string[] = [];
  await inLanes(Array(jobs).keys(), 10, async (index) => {
    const payload: ActPayload = {
      beforeMs: 0,
      afterMs: 0,
      ...(random.next() < KILLED_SHARE && { inject: { at: "effect:recorded", how: "kill" } }),
    };
    const key = `${name}-${index}`;
    const accepted = await testbed.client.submit({ type: "spent", idempotencyKey: key, payload });
    if (accepted === undefined) return;
    await untilEnded(testbed, accepted.id);
    ids.push(accepted.id);
  });
  return ids;
}

async function retryAll(
  operator: StandaloneOperator,
  { by }: Round,
  index: number,
  ids: readonly string[],
): Promise<string[]> {
  if (by === "hand")
    return await Promise.all(ids.map((id) => outcomeOf(patiently(() => operator.retry(id)))));
  const request = { act: "retry", filter: { type: "spent" }, reason: "laboratory" } as const;
  const { id } = await patiently(() => operator.acts.start(request, "laboratory", `retry ${index}`));
  const isOver = async () => !["waiting", "running"].includes(await stateOf(operator, id));
  return [(await until(isOver, { withinMs: 60_000 })) ? "done" : "not done"];
}

/** The retention removes acts, too. */
async function stateOf(operator: StandaloneOperator, id: string): Promise<string> {
  let state = "gone";
  await outcomeOf(
    patiently(async () => {
      ({ state } = await operator.acts.read(id));
    }),
  );
  return state;
}

/** Other jobs that fail, of a type without effects. */
function failOthers({ client }: Testbed): { end(): Promise<void> } {
  let isOver = false;
  const load = (async () => {
    for (let index = 0; !isOver; index += 1) {
      const payload = { ms: 0 };
      await client.submit({ type: "declined", idempotencyKey: `other-${index}`, payload });
      await sleep(BUSY_MS);
    }
  })();
  return {
    async end() {
      isOver = true;
      await load;
    },
  };
}

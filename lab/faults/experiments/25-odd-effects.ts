import { inLanes, until } from "../../lib/waiting.ts";
import { check, type JobRecord, noCounts } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutJoining } from "../lib/mutations.ts";
import { LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";

/** Three attempts, plus five crashes, because a lock lost on a busy machine counts as one. */
const STARTS_ALLOWED = 3 + 5;
const ways = ["twice", "nested", "many"] as const;
/** Answers of a probe that must not count as done. */
const answers: readonly unknown[] = [true, false, {}, [], "not_done", "done", null, 0, 1, "unknown", "hangs"];

export const oddEffects: Experiment = {
  number: 25,
  title: "Effects are called oddly",
  fault:
    "one effect twice at once, from inside itself, with 1,000 indexes; probes that lie, hang, or answer nonsense",
  mustHold: "attempts stay bounded; nothing is called done by mistake",
  async run(context) {
    const jobs = await run(context, submissions(context.isQuick ? 1 : 20));
    const deliveries = Math.max(...jobs.map(begun));
    const wrong = jobs.filter(isWrong);
    const control = await run(context, [job("refused", "control", { how: "twice" })], withoutJoining);
    const controlDeliveries = Math.max(...control.map(begun));
    return {
      counts: { ...noCounts, acknowledged: jobs.length, faults: jobs.length },
      measured: [`${jobs.length} jobs, each begun at most ${deliveries} times (allowed: ${STARTS_ALLOWED})`],
      broken: wrong.map(({ key, status }) => `${key}: ${status?.state} ${status?.error?.code ?? ""}`),
      controls: [
        {
          protection: withoutJoining.name,
          isCaught: controlDeliveries > STARTS_ALLOWED,
          seen: `begun ${controlDeliveries} times`,
        },
      ],
    };
  },
};

/** Each is a thousand effects: more would only wait for each other. */
const MANY_MAX = 2;

function submissions(times: number): Submission[] {
  return Array.from({ length: times }, (_, time) => [
    ...ways
      .filter((how) => how !== "many" || time < MANY_MAX)
      .map((how) => job("refused", `${how}-${time}`, { how })),
    ...answers.map((answer, index) => job("probed", `probe-${index}-${time}`, { answer })),
  ]).flat();
}

function job(type: Submission["type"], idempotencyKey: string, payload: object): Submission {
  return { type, idempotencyKey, payload };
}

async function run(
  context: Context,
  jobs: readonly Submission[],
  mutation?: Mutation,
): Promise<readonly JobRecord[]> {
  return await withTestbed(
    { workers: 2, concurrency: 20, env: LONG_LOCK, ...(mutation && { mutation }) },
    async (testbed) => {
      await inLanes(jobs, 10, async (submission) => {
        context.say(`${testbed.client.acknowledged.length} of ${jobs.length} jobs`);
        await testbed.client.submit(submission);
      });
      if (mutation !== undefined) await until(() => isUnbounded(testbed), { withinMs: 60_000 });
      const verdict = await check(testbed, mutation === undefined ? 240_000 : 0);
      if (verdict.counts.stuck > 0) throw new Error(verdict.findings.join("\n"));
      return verdict.jobs;
    },
  );
}

/**
 * Refused downstream, a job fails; without an answer it is in doubt, whatever its probe says, and so is an effect whose call inside of
 * itself was refused. A thousand at once may outlast a lock on a busy machine; some are in doubt then.
 */
function isWrong({ key, status, steps }: JobRecord): boolean {
  const isDoubt = status?.error?.code === "EFFECT_IN_DOUBT";
  const isUnknown = key.startsWith("probe-") || key.startsWith("nested-");
  const isRightDoubt = isDoubt === isUnknown || key.startsWith("many-");
  return status?.state !== "failed" || !isRightDoubt || begun({ steps }) > STARTS_ALLOWED;
}

/** The control has only one job. */
function isUnbounded({ trace }: Testbed): boolean {
  return begun({ steps: trace.read() }) > STARTS_ALLOWED;
}

function begun({ steps }: Pick<JobRecord, "steps">): number {
  return steps.filter(({ event }) => event === "begun").length;
}

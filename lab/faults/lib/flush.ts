import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "./act-jobs.ts";
import { apiSubmitter, type Submission, type Submitter } from "./client.ts";
import type { Context } from "./experiment.ts";
import type { Mutation } from "./installation.ts";
import { type Testbed, untilEnded, withTestbed } from "./testbed.ts";
import { withRedis } from "./with-redis.ts";

/** The outcome of a FLUSHALL in the middle of effects. */
export interface Flushed {
  /** The API's answer to a submission after it; `accepted` if it accepted. */
  readonly answer: string;
  readonly repeated: number;
  readonly inDoubt: number;
  /** Of the keys that were submitted again after the loss was accepted. */
  readonly completed: number;
}

/** Effects that run during FLUSHALL. */
export const RUNNING = 16;
const EFFECT_MS = 1_200;
/** The locks are gone, too. The effects must end before their workers notice. */
const LOCK_MS = "5000";
const NOTICED_WITHIN_MS = 60_000;
const ACCEPTED_WITHIN_MS = 60_000;

/** Empties Redis, accepts the loss, and submits the same keys again. */
export async function flush(context: Context, mutation?: Mutation): Promise<Flushed> {
  const size = { workers: 2, concurrency: RUNNING / 2, api: true, env: { HOLDFAST_LOCK_MS: LOCK_MS } };
  return await withTestbed({ ...size, ...(mutation && { mutation }) }, async (testbed) => {
    const { url = "" } = (await testbed.api?.ready()) ?? {};
    const submitter = apiSubmitter(async () => url);
    const jobs = Array.from({ length: RUNNING }, (_, index) => slowJob(context, index));
    const submitAll = () =>
      inLanes(jobs, RUNNING, async (job) => void (await testbed.client.submit(job, submitter)));
    await submitAll();
    const begun = () => testbed.trace.read().filter(({ event }) => event === "effect:begun").length;
    await until(() => begun() === RUNNING, { withinMs: 60_000, everyMs: 10 });
    await withRedis(testbed.store, (redis) => redis.flushall());
    const answer = await submitUntilLossIsNoticed(submitter, actJob("afterwards", context.random));
    await until(() => testbed.witnessed().length >= RUNNING, { withinMs: 30_000 });
    if (answer !== "accepted") await untilWorkersNoticed(testbed);
    await acceptLoss(url);
    const before = testbed.client.acknowledged.length;
    await submitAll();
    const again = testbed.client.acknowledged.slice(before);
    const forgotten = committedKeys(testbed, before);
    for (const { id } of again) await untilEnded(testbed, id);
    const statuses = await Promise.all(again.map(({ id }) => testbed.client.status(id)));
    return {
      answer,
      repeated: repeats(testbed).filter((key) => !forgotten.has(key)).length,
      inDoubt: statuses.filter((status) => status?.error?.code === "EFFECT_IN_DOUBT").length,
      completed: statuses.filter((status) => status?.state === "completed").length,
    };
  });
}

/** As an operator is told to: each worker has put in doubt what it was doing by then. */
async function untilWorkersNoticed({ workers }: Testbed): Promise<void> {
  const haveNoticed = () => workers.every((worker) => worker.log().includes("STORE_ROLLED_BACK"));
  const noticed = await until(haveNoticed, { withinMs: NOTICED_WITHIN_MS });
  if (noticed === undefined)
    throw new Error(`A worker has not noticed within ${NOTICED_WITHIN_MS} ms that Redis was emptied`);
}

async function acceptLoss(url: string): Promise<void> {
  const accept = async () => {
    const response = await fetch(`${url}/store/accept-loss`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ evidence: "The fault laboratory emptied it" }),
    }).catch(() => undefined); // a connection may end between two requests
    return response?.ok;
  };
  await until(accept, { withinMs: ACCEPTED_WITHIN_MS });
}

function slowJob({ random }: Context, index: number): Submission {
  const { payload, ...job } = actJob(`running-${index}`, random);
  return { ...job, payload: { ...payload, beforeMs: EFFECT_MS } };
}

/** Submits until the API reports a loss. @returns its last answer */
export async function submitUntilLossIsNoticed(
  submitter: Submitter,
  submission: Submission,
): Promise<string> {
  let answer = "";
  const ask = async () => {
    answer = await submitter(submission).then(
      () => "accepted",
      (error: Error) => error.message.replace("answered ", ""),
    );
    return answer === "accepted" || answer.includes("STORE_ROLLED_BACK");
  };
  await until(ask, { withinMs: NOTICED_WITHIN_MS });
  return answer;
}

/**
 * Keys with a committed effect: Redis forgot them, and accepting the loss accepts that. Looked for late, since a slow worker can
 * record the reply only after Redis was emptied; then no commit of theirs succeeds.
 *
 * @param count how many jobs were submitted before
 */
function committedKeys({ client, trace }: Testbed, count: number): Set<string> {
  const steps = trace.read().filter(({ event }) => event === "commit:after");
  const ids = new Set(steps.map(({ jobId }) => jobId));
  const first = client.acknowledged.slice(0, count);
  return new Set(first.filter(({ id }) => ids.has(id)).map(({ key }) => key));
}

/** Keys whose effect happened more than once. */
function repeats(testbed: Testbed): string[] {
  const jobs = testbed.witnessed().map(({ job }) => job);
  return [...new Set(jobs.filter((job, index) => jobs.indexOf(job) !== index))];
}

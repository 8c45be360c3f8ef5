import { randomUUID } from "node:crypto";
import type { Receipt } from "../../core/job/submit-options.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { runNowKey, type Schedule } from "./define-schedule.ts";

const MINUTE_MS = 60_000;

/**
 * Submits a schedule's job now, beside its ticks.
 *
 * The payload is that of a tick at the current minute, since payloads may rely on whole minutes. A request that is sent
 * again a minute later has another payload, so the request's name is compared instead.
 *
 * @param request the client's name for its request; without one each call makes a job
 * @throws HoldfastError as `submit` does
 */
export async function runNow(
  submitter: Pick<Submitter, "submitOwn">,
  schedule: Schedule,
  request: string = randomUUID(),
): Promise<Receipt> {
  const at = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  const job = {
    type: schedule.job.type,
    payload: schedule.payload({ at }),
    idempotencyKey: runNowKey(schedule, request),
  };
  return await submitter.submitOwn(job, `run ${schedule.name} now`);
}

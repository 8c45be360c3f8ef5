import { randomUUID } from "node:crypto";
import { runNowKey, type Schedule } from "../job/define-schedule.ts";
import type { Receipt, Submitter } from "../submit/submitter.ts";

const MINUTE_MS = 60_000;

/**
 * Submits a schedule's job out of turn; its ticks stay as they are.
 *
 * The payload is made as for a tick of this minute: clocks tick by the minute, and payloads may rely on it. Sent again in
 * another minute, the request would have another one, and yet is the same request.
 *
 * @param request the client's name for its request; without one each call makes a job
 * @throws HoldfastError as `submit` does
 */
export async function runNow(
  submitter: Pick<Submitter, "submit">,
  schedule: Schedule,
  request: string = randomUUID(),
): Promise<Receipt> {
  const at = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  const job = {
    type: schedule.job.type,
    payload: schedule.payload({ at }),
    idempotencyKey: runNowKey(schedule, request),
  };
  return await submitter.submit(job, `run ${schedule.name} now`);
}

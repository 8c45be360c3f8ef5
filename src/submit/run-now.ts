import { randomUUID } from "node:crypto";
import { runNowKey, type Schedule } from "../contract/define-schedule.ts";
import type { Receipt, Submitter } from "./submitter.ts";

const MINUTE_MS = 60_000;

/**
 * Submits a schedule's job out of turn; its ticks stay as they are.
 *
 * The payload is made as for a tick of this minute, so that a request that is sent again has the same content.
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
  return await submitter.submit({
    type: schedule.job.type,
    payload: schedule.payload({ at }),
    idempotencyKey: runNowKey(schedule, request),
  });
}

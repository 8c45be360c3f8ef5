import { createHash } from "node:crypto";
import { z } from "zod";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import type { Attempt } from "../../core/job/attempt.ts";
import type { JobContract, JobHandler } from "../../core/job/contract.ts";
import { INTERNAL_QUEUE, NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import { PermanentError, RetryAfterError } from "../../evidence/attempt-errors.ts";
import { defineJob } from "../../features/define.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import { type Notice, noticeSchema } from "../../roles/notices/notice.ts";
import type { OpenReceiver } from "../../roles/notices/receivers.ts";
import { appendToAuditLog, storedReason } from "../audit/audit-log.ts";

const payloadSchema = z.strictObject({ receiver: z.string(), notice: noticeSchema });
export type NoticePayload = Readonly<z.output<typeof payloadSchema>>;

const ATTEMPTS = 100;
const FIRST_DELAY_MS = 1_000;
/** So a receiver is tried for eight hours. */
const LONGEST_DELAY_MS = 5 * 60_000;

const contract = defineJob({
  type: "notice",
  queue: NOTICE_QUEUE,
  payload: payloadSchema,
  result: z.null(),
  retry: { attempts: ATTEMPTS, backoff: { kind: "fixed", delayMs: LONGEST_DELAY_MS }, maxStarts: 1_000 },
  timeoutMs: 30_000,
});

/** A notice to one receiver is a job: delivered at least once. No contract of an application can have such a type: it has a dot. */
export const noticeJob: JobContract = { ...contract, type: "holdfast.notice" };

/** What an API and a worker submit and run notices with, as an application. */
export const noticeApplication: Application = {
  jobs: new Map([[noticeJob.type, noticeJob]]),
  queues: [NOTICE_QUEUE],
  queueSettings: new Map([[NOTICE_QUEUE, { concurrency: 10, limits: {}, partitions: 1 }]]),
  schedules: [],
  handlers: async () => [],
};

/** Of one notice: the same in each process, and without full stops, as Standard Webhooks wants it. */
export function noticeId(...parts: readonly (string | number)[]): string {
  return `notice_${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)}`;
}

/** Who did it, in the audit log. */
const BY = "Holdfast";

export async function recordNotice(
  stores: QueueStores,
  as: "notice-delivered" | "notice-failed" | "notice-sent-directly",
  receiver: string,
  { title }: Notice,
  jobId?: string,
): Promise<void> {
  const store = stores.of(INTERNAL_QUEUE);
  const job = jobId === undefined ? {} : { job: jobId };
  await appendToAuditLog(store, {
    ...job,
    as,
    evidence: storedReason(store, `to ${receiver}: ${title}`),
    by: BY,
  });
}

/** What a worker runs notices with. */
export function noticeHandler(receivers: readonly OpenReceiver[], stores: QueueStores): JobHandler {
  async function run({ payload, signal, attempt, jobId }: Attempt<NoticePayload>): Promise<null> {
    const { receiver: name, notice } = payload;
    const receiver = receivers.find((one) => one.name === name);
    if (receiver === undefined) throw new PermanentError(`The application declares no receiver "${name}"`);
    try {
      await receiver.deliver(notice, signal);
    } catch (error) {
      if (attempt >= ATTEMPTS) await recordNotice(stores, "notice-failed", name, notice, jobId);
      throw new RetryAfterError(delayAfter(attempt), messageOf(error));
    }
    await recordNotice(stores, "notice-delivered", name, notice, jobId);
    return null;
  }
  return { job: noticeJob, run: run as JobHandler["run"] };
}

function delayAfter(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}

import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { INTERNAL_QUEUE, NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { openStatusReader } from "../../features/job-status.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { noticeKinds } from "../../roles/notices/feature.ts";
import { type Notice, noticeStages } from "../../roles/notices/notice.ts";
import { howTold } from "../../roles/notices/receivers.ts";
import { type Act, appendToAuditLog, LIBRARY, storedReason } from "../audit/audit-log.ts";
import { type JobLists, openJobLists } from "../jobs/job-lists.ts";
import { readEnvelopeJson, submitted } from "../jobs/job-record.ts";
import type { Episode } from "./episodes.ts";
import { type NoticePayload, noticeApplication, noticeId, noticeJob } from "./notice-job.ts";
import { readEpisodes } from "./watch-notices.ts";

const instant = z.iso.datetime();

const sentSchema = z.object({
  id: z.string().meta({ description: "A notice to one receiver is a job: this is its id." }),
  receiver: z.string(),
  kind: z.enum([...noticeKinds, "test"]),
  subject: z.string(),
  stage: z.enum(noticeStages),
  title: z.string(),
  at: instant.meta({ description: "When it was noticed." }),
  state: z.enum(["waiting", "delivered", "failed"]).meta({
    description:
      "`waiting`: a worker delivers it, and tries again for eight hours. `failed`: it never got there.",
  }),
  attempts: z.int(),
  deliveredAt: instant.nullable(),
  error: z.string().nullable().meta({ description: "Why the last attempt failed." }),
});

export const noticesSchema = z.object({
  receivers: z
    .array(
      z.object({
        name: z.string(),
        by: z.string().meta({ description: "How it is told; URLs and secrets are not shown." }),
        kinds: z.array(z.enum(noticeKinds)),
      }),
    )
    .meta({ description: "As the application declares them; empty if nobody is told." }),
  open: z
    .array(
      z.object({
        kind: z.enum(noticeKinds),
        subject: z.string(),
        count: z.int(),
        title: z.string(),
        since: instant,
        toldAt: instant
          .nullable()
          .meta({ description: "Null while it is gathered, for ten seconds at most." }),
      }),
    )
    .meta({ description: "What needs a person now." }),
  sent: z.array(sentSchema).meta({ description: "The latest first." }),
});
export type NoticesView = Readonly<z.output<typeof noticesSchema>>;
export type SentNotice = NoticesView["sent"][number];

/** Who is told what. */
export interface NoticeOperator {
  /** What is told to whom, and what was. @param limit how many of those that were sent */
  read(limit: number): Promise<NoticesView>;
  /**
   * Sends a test to the receivers, as every notice is sent: by a worker.
   *
   * @param receiver only to this one @default all
   * @returns the ids of their jobs
   * @throws HoldfastError `RECEIVER_NOT_FOUND`
   */
  test(receiver?: string, act?: Act): Promise<readonly { readonly id: string; readonly receiver: string }[]>;
}

interface NoticeOperatorParts {
  readonly stores: QueueStores;
  readonly application: Application;
  /** Submits notices. */
  readonly submit: Submitter["submitOwn"];
}

export function openNoticeOperator(parts: NoticeOperatorParts): NoticeOperator {
  const { stores } = parts;
  const lists = openJobLists(stores, noticeApplication);
  const readStatus = openStatusReader(stores);
  return {
    read: (limit) => inTime(read(parts, { lists, readStatus }, limit)),
    test: (receiver, act = { by: LIBRARY }) => inTime(test(parts, receiver, act)),
  };
}

interface Readers {
  readonly lists: JobLists;
  readonly readStatus: ReturnType<typeof openStatusReader>;
}

async function read(
  { stores, application }: NoticeOperatorParts,
  { lists, readStatus }: Readers,
  limit: number,
): Promise<NoticesView> {
  const store = stores.of(NOTICE_QUEUE);
  const states = ["active", "waiting", "delayed", "failed", "completed"] as const;
  const [episodes, { found }] = await Promise.all([readEpisodes(store), lists.ids({}, { limit, states })]);
  const sent = await Promise.all(found.map((id) => sentOf(store, readStatus, id)));
  return {
    receivers: receiversOf(application).map((receiver) => ({
      name: receiver.name,
      by: howTold(receiver),
      kinds: [...(receiver.kinds ?? noticeKinds)],
    })),
    open: episodes.filter(isOpen).map(({ kind, subject, count, title, since, told }) => ({
      kind,
      subject,
      count,
      title,
      since: isoTime(since),
      toldAt: told === null ? null : isoTime(told.at),
    })),
    sent: sent.filter((one) => one !== undefined).sort((a, b) => b.at.localeCompare(a.at)),
  };
}

function receiversOf({ notices }: Application) {
  return notices?.receivers ?? [];
}

function isOpen({ told }: Episode): boolean {
  return told === null || (told.stage !== "over" && told.stage !== "passed");
}

async function sentOf(
  store: QueueStore,
  readStatus: Readers["readStatus"],
  id: string,
): Promise<SentNotice | undefined> {
  const [status, envelope] = await Promise.all([readStatus(id), readEnvelopeJson(store, id)]);
  if (status === undefined || envelope === null) return undefined;
  const { receiver, notice } = submitted(store, id, envelope).payload as NoticePayload;
  const { kind, subject, stage, title, at } = notice;
  const { state, attemptsMade: attempts, finishedAt, error } = status;
  const isDelivered = state === "completed";
  return {
    id,
    receiver,
    kind,
    subject,
    stage,
    title,
    at,
    state: isDelivered ? "delivered" : state === "failed" ? "failed" : "waiting",
    attempts,
    deliveredAt: isDelivered ? finishedAt : null,
    error: isDelivered ? null : (error?.message ?? null),
  };
}

async function test(
  { stores, application, submit }: NoticeOperatorParts,
  only: string | undefined,
  { by }: Act,
) {
  const receivers = receiversOf(application);
  const chosen = receivers.filter(({ name }) => only === undefined || name === only);
  if (chosen.length === 0) throw notFound(only, receivers);
  const at = isoTime(Math.floor(await redisNow(stores.client)));
  const notice: Notice = {
    id: noticeId(randomUUID()),
    application: stores.of(NOTICE_QUEUE).prefix,
    kind: "test",
    subject: "receivers",
    stage: "test",
    count: 1,
    since: at,
    at,
    title: "A test: this receiver gets Holdfast's notices",
    text: "Somebody tries the receivers with holdfast notices test. Nothing is wrong.",
    link: application.notices?.consoleUrl ?? null,
    sentBy: null,
  };
  const internal = stores.of(INTERNAL_QUEUE);
  const names = chosen.map(({ name }) => name).join(", ");
  await appendToAuditLog(internal, { as: "notices-tested", evidence: storedReason(internal, names), by });
  const submitting = chosen.map(async ({ name: receiver }) => {
    const idempotencyKey = `${notice.id}:${receiver}`;
    const { id } = await submit({ type: noticeJob.type, payload: { receiver, notice }, idempotencyKey });
    return { id, receiver };
  });
  return await Promise.all(submitting);
}

function notFound(name: string | undefined, receivers: readonly { readonly name: string }[]): HoldfastError {
  const names = receivers.map((receiver) => receiver.name).join(", ");
  const message =
    names === ""
      ? "The application declares no receiver of notices"
      : `There is no receiver "${name}"; there are ${names}`;
  return new HoldfastError("RECEIVER_NOT_FOUND", message);
}

import { hostname } from "node:os";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { parseRate } from "../../core/define/queue-settings.ts";
import type { Application } from "../../core/job/application.ts";
import { NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import type { Environment } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import { wait } from "../../platform/lib/wait.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadDeclaringScript } from "../../platform/redis/script.ts";
import type { Notices } from "../../roles/notices/feature.ts";
import type { Notice } from "../../roles/notices/notice.ts";
import { DELIVERY_MAX_MS, type OpenReceiver, openReceivers } from "../../roles/notices/receivers.ts";
import { readQueue } from "../overview/queue-overview.ts";
import { type OverviewOptions, openOverviewReader } from "../overview/read-overview.ts";
import {
  type LookParts,
  lookAround,
  overTitle,
  pageOf,
  redisUnreachable,
  type Thresholds,
} from "./conditions.ts";
import {
  afterLook,
  afterTelling,
  type Due,
  type Episode,
  type NoticeLook,
  noticePace,
  type Pace,
  parseEpisodes,
} from "./episodes.ts";
import { noticeId, noticeJob, recordNotice } from "./notice-job.ts";

const DEFAULTS = { failures: "10/5m", lateMs: 600_000, bucketMs: 300_000 };

function thresholdsOf({ failures, lateMs }: Notices): Thresholds {
  const rate = parseRate(failures ?? DEFAULTS.failures);
  if (rate === undefined) throw new TypeError("expected a rate");
  return { failures: rate, lateMs: lateMs ?? DEFAULTS.lateMs };
}

interface WatchParts extends OverviewOptions {
  /** Of the queue of notices. */
  readonly submitOwn: Submitter["submitOwn"];
  readonly log: Logger;
}

interface NoticeParts extends WatchParts {
  readonly notices: Notices;
  readonly receivers: readonly OpenReceiver[];
}

/**
 * Opens the receivers. What is returned begins to look; where nobody is told it does nothing.
 *
 * @throws HoldfastError `CONFIG_INVALID` where a receiver's variables are missing or wrong
 */
export function openNoticeWatch({ notices }: Application, env: Environment | undefined) {
  const receivers = openReceivers(notices, env);
  return (parts: WatchParts): Running[] =>
    notices === undefined ? [] : [watchNotices({ ...parts, notices, receivers })];
}

/**
 * Looks again and again, as each API does, and tells the receivers what has changed. There is no leader: what is known is one list in
 * Redis, and whoever replaces it first has decided what is told, as jobs whose keys let each exist once. If Redis takes no job, the
 * receivers are told at once, by this process.
 */
function watchNotices(parts: NoticeParts): Running {
  const { notices, log } = parts;
  const pace = noticePace(notices.bucketMs ?? DEFAULTS.bucketMs);
  const teller = openTeller(parts, pace);
  const looking = {
    ...parts,
    overviews: openOverviewReader(parts),
    databaseUrl: parts.settings.DATABASE_URL,
    thresholds: thresholdsOf(notices),
  };
  const stopping = new AbortController();
  // Known only to this process: it is about reaching Redis.
  let ofRedis: readonly Episode[] = [];

  async function lookOnce(): Promise<void> {
    const outage = await lookInRedis(looking, teller, pace).then(
      () => [],
      (error: unknown) => [redisUnreachable(messageOf(error))],
    );
    // One late answer is no outage.
    const { episodes, mine } = afterLook(ofRedis, { found: outage, unread: [] }, Date.now(), {
      ...pace,
      gatherMs: 2 * pace.lookMs,
    });
    ofRedis = episodes;
    for (const episode of mine)
      if (await teller.tellDirectly(episode, stopping.signal)) ofRedis = afterTelling(ofRedis, episode);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await lookOnce().catch((err: unknown) => log.warn({ err }, "a look for notices failed"));
      await wait(pace.lookMs, stopping.signal);
    }
  }

  const running = run();
  return {
    stop: stopOnce(async () => {
      stopping.abort();
      await running;
    }),
  };
}

/** So long it is tried to submit a job whose outcome is unknown. */
const DIRECTLY_AFTER_MS = 45_000;

type Teller = ReturnType<typeof openTeller>;

async function lookInRedis(
  parts: LookParts & Pick<NoticeParts, "log">,
  teller: Teller,
  pace: Pace,
): Promise<void> {
  const look = await lookAround(parts);
  const store = parts.stores.of(NOTICE_QUEUE);
  const mine = await inTime(decide(store, look, pace));
  for (const episode of mine) {
    if (!(await teller.tell(episode))) continue;
    await inTime(change(store, (episodes) => afterTelling(episodes, episode)));
  }
}

const swap = loadDeclaringScript(import.meta.url, "swap-episodes.lua", integer);

function episodesKey({ keys }: QueueStore): string {
  return keys.own("notices");
}

/** All episodes, as all processes share them. */
export async function readEpisodes(store: QueueStore): Promise<readonly Episode[]> {
  return parseEpisodes((await store.client.get(episodesKey(store))) ?? "");
}

/** @returns what this process is to tell; nothing if another one was quicker */
async function decide(store: QueueStore, look: NoticeLook, pace: Pace): Promise<readonly Episode[]> {
  const { client } = store;
  const key = episodesKey(store);
  const [before, now] = await Promise.all([client.get(key), redisNow(client)]);
  const { episodes, mine } = afterLook(parseEpisodes(before ?? ""), look, Math.floor(now), pace);
  return (await swap.run(client, [key], [before ?? "", JSON.stringify(episodes)])) === 1 ? mine : [];
}

async function change(
  store: QueueStore,
  to: (episodes: readonly Episode[]) => readonly Episode[],
): Promise<void> {
  const { client } = store;
  const key = episodesKey(store);
  for (;;) {
    const before = (await client.get(key)) ?? "";
    const after = JSON.stringify(to(parseEpisodes(before)));
    if ((await swap.run(client, [key], [before, after])) === 1) return;
  }
}

function openTeller(parts: NoticeParts, pace: Pace) {
  const { notices, stores, log } = parts;
  const sender = `${hostname()}:${process.pid}`;
  const told = { prefix: stores.of(NOTICE_QUEUE).prefix, consoleUrl: notices.consoleUrl, pace };

  /** @returns those who were not told */
  async function send(episode: Episode, due: Due, signal?: AbortSignal): Promise<readonly OpenReceiver[]> {
    const notice = noticeOf(episode, due, { ...told, sentBy: sender });
    const wanting = wantingOf(parts, notice);
    const within = AbortSignal.any([...(signal ? [signal] : []), AbortSignal.timeout(DELIVERY_MAX_MS)]);
    const results = await Promise.all(wanting.map((one) => sendDirectly(parts, one, notice, within)));
    return wanting.filter((_, at) => results[at] !== true);
  }

  /** @returns whether anybody was told */
  async function tellDirectly(episode: Episode, signal?: AbortSignal): Promise<boolean> {
    const { due, kind } = episode;
    if (due === null) return true;
    const left = await send(episode, due, signal);
    return left.length === 0 || left.length < wantingOf(parts, { kind }).length;
  }

  /** @returns false to try again */
  async function tell(episode: Episode): Promise<boolean> {
    const { due } = episode;
    if (due === null) return true;
    try {
      const notice = noticeOf(episode, due, { ...told, sentBy: null });
      // The notice that the last worker is lost would wait for a worker.
      const isDelivered = await inTime(hasDeliverer(stores.of(NOTICE_QUEUE)));
      await submit(parts, notice, isDelivered ? wantingOf(parts, notice) : await send(episode, due));
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) {
        const { kind, subject } = episode;
        log.error({ err: error, kind, subject }, "a notice cannot be submitted");
        return true;
      }
      // The job may exist all the same: its key makes another try harmless, and a direct one is not.
      const mayExist = error.code === "STORE_UNAVAILABLE" && Date.now() - due.at < DIRECTLY_AFTER_MS;
      return mayExist ? false : await tellDirectly(episode);
    }
  }

  return { tell, tellDirectly };
}

interface Told {
  readonly prefix: string;
  readonly consoleUrl: string | undefined;
  readonly pace: Pace;
  /** The process that sends it directly; null for a worker. */
  readonly sentBy: string | null;
}

function noticeOf(episode: Episode, due: Due, { prefix, consoleUrl, pace, sentBy }: Told): Notice {
  const { kind, subject, since } = episode;
  const { stage, at, count, title, text } = due;
  const isOver = stage === "over" || stage === "passed";
  return {
    id: noticeId(prefix, kind, subject, stage, Math.floor(at / pace.bucketMs)),
    application: prefix,
    kind,
    subject,
    stage,
    count,
    since: isoTime(since),
    at: isoTime(at),
    title: isOver ? overTitle(kind, subject) : title,
    text: isOver ? `It began at ${isoTime(since)}: ${title}.` : text,
    link: consoleUrl === undefined ? null : `${consoleUrl.replace(/\/+$/, "")}${pageOf(kind)}`,
    sentBy,
  };
}

function wantingOf({ receivers }: Pick<NoticeParts, "receivers">, { kind }: Pick<Notice, "kind">) {
  return receivers.filter(({ wants }) => wants(kind));
}

/** Whether a worker is there that claims notices. */
async function hasDeliverer(store: QueueStore): Promise<boolean> {
  const { workers } = await readQueue([store]);
  return workers.some((one) => !one.isSilent && !one.isStuck && !one.isClockWrong && one.quiet === null);
}

/** A job for each receiver. Its key lets it exist once, whoever submits it again. */
async function submit(
  parts: NoticeParts,
  notice: Notice,
  to: readonly Pick<OpenReceiver, "name">[],
): Promise<void> {
  const submitting = to.map(({ name: receiver }) => {
    const idempotencyKey = `${notice.id}:${receiver}`;
    const job = { type: noticeJob.type, payload: { receiver, notice }, idempotencyKey };
    return parts.submitOwn(job, idempotencyKey);
  });
  await Promise.all(submitting);
}

/** @returns whether the receiver has accepted it */
async function sendDirectly(
  { stores, log }: NoticeParts,
  { name: receiver, deliver }: OpenReceiver,
  notice: Notice,
  signal: AbortSignal,
): Promise<boolean> {
  const { title } = notice;
  try {
    await deliver(notice, signal);
  } catch (error) {
    log.warn({ receiver, title, reason: messageOf(error) }, "a notice was not sent");
    return false;
  }
  log.info({ receiver, title }, "sent a notice directly: Redis took no job, or no worker delivers");
  await inTime(recordNotice(stores, "notice-sent-directly", receiver, notice)).catch(() => {});
  return true;
}

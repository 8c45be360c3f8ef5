import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Events } from "../../core/events.ts";
import type { Application } from "../../core/job/application.ts";
import { GUARD_QUEUE } from "../../core/job/internal-queue.ts";
import type { Resolution, ResolvedJob } from "../../core/job/resolution.ts";
import { storesOfGuard, sweepPlace } from "../../guard/places.ts";
import { givenCount } from "../../platform/errors/given.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { isNarrow } from "../filter.ts";
import { instantInBody } from "../jobs/instant-schemas.ts";
import { storeOf } from "../jobs/job-operator.ts";
import { type AskProbes, askProbes, type ProbesAsked } from "./ask-probe.ts";
import {
  AT_A_TIME,
  actIdSchema,
  type DoubtFilter,
  type DoubtSearch,
  doubtFilter,
  doubtIdSchema,
  doubtName,
  findDoubts,
  isNamed,
  RESOLVED_AT_ONCE_MAX,
  requireDoubtScope,
  SEARCHED_MAX,
  type SeenDoubt,
  seenDoubtSchema,
} from "./doubt-filter.ts";
import { type DoubtGroups, groupDoubts } from "./doubt-groups.ts";
import { countDoubts, type Doubt, type DoubtCount, doubtSchema, openDoubtResolver } from "./doubts.ts";
import { wouldBeNamed } from "./provider-export.ts";

export const confirmSchema = z
  .boolean()
  .optional()
  .meta({
    description: "Say not-done although the first run may still be under way, and act later.",
    examples: [false],
  });

/** Doubts to resolve with one piece of evidence: those named, those that match, or all. */
export const manyDoubtsSchema = z
  .strictObject({
    ids: z.array(seenDoubtSchema).min(1).max(RESOLVED_AT_ONCE_MAX).optional(),
    filter: doubtFilter.schema.optional(),
    all: z.literal(true).optional().meta({ description: "Instead of ids or a filter: every doubt." }),
    as: z.enum(["done", "not-done"]).meta({ examples: ["done"] }),
    evidence: z
      .string()
      .min(1)
      .max(2_000)
      .meta({
        description: "How you know. Kept in the audit log with each.",
        examples: ["The provider's export of 12:00"],
      }),
    confirm: confirmSchema,
    completeUntil: instantInBody(
      "Only with not-done: until when an export is complete that does not name them. Those in doubt since a minute before, or later, stay.",
    ),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Change nothing, and answer what would be resolved." }),
    before: instantInBody(
      "`before` of the first call, as long as some remain: doubts that began since then stay.",
    ),
    actId: actIdSchema,
  })
  .meta({
    examples: [
      {
        filter: { type: "invoice", effect: "charge" },
        as: "done",
        evidence: "In the provider's export of 12:00",
        dryRun: true,
      },
    ],
  });
type ManyRequest = z.output<typeof manyDoubtsSchema>;
/** The same with who does it. `before` and `completeUntil` are milliseconds since 1970. */
export type ManyDoubts = Readonly<Omit<ManyRequest, "ids" | "dryRun">> & {
  readonly ids?: readonly SeenDoubt[] | undefined;
  /** @default false */
  readonly dryRun?: boolean | undefined;
  readonly by: string;
};

export const manyResolvedSchema = z.object({
  count: z.int().meta({ description: "How many matched at the beginning of this call." }),
  resolved: z.int(),
  skipped: z.array(doubtIdSchema.extend({ code: z.string() })).meta({
    description:
      "Those that were no longer in doubt; those in doubt anew (`CHANGED_MEANWHILE`); and those that stay: `RUN_MAY_BE_PENDING`, because their first run may still be under way, and `RUN_SAID_DONE`, because their run has reported that it was done (`confirm` resolves these as well); `BEGAN_TOO_LATE`, because of `completeUntil`.",
  }),
  remaining: z.int().meta({ description: "Call again, with `before`, while this is above 0." }),
  isExact: z.boolean().meta({ description: "If not, there are at least as many as the counts say." }),
  before: z.iso.datetime(),
  actId: z.uuid().meta({ description: "For the next call, and of the audit log's entries." }),
  doubts: z.array(doubtSchema).meta({ description: "Of a dry run: at most 1,000 of them." }),
});
/** The same, `before` in milliseconds since 1970. */
export type ManyResolved = Readonly<
  Omit<z.output<typeof manyResolvedSchema>, "before" | "doubts"> & { before: number; doubts: Doubt[] }
>;

/** @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT` */
type ResolveOne = (jobId: string, effect: string, resolution: Resolution) => Promise<ResolvedJob>;

/**
 * Resolves at most 1,000 doubts. Those that begin meanwhile are not meant: their evidence would be older than they are.
 *
 * @throws HoldfastError `INVALID_REQUEST` for anything but ids, a filter or all
 */
async function resolveMany(
  { find, now }: DoubtSearch,
  resolve: ResolveOne,
  request: ManyDoubts,
): Promise<ManyResolved> {
  requireDoubtScope(request);
  requireNotDone(request);
  const before = Math.min(request.before ?? now, now);
  const { found, isAll } = await wantedOf(find, request, before);
  const { actId = randomUUID() } = request;
  const about = { count: found.length, isExact: isAll, before, actId };
  if (request.dryRun) {
    const doubts = found.slice(0, RESOLVED_AT_ONCE_MAX).filter(isRead);
    return { ...about, doubts, resolved: 0, skipped: [], remaining: found.length };
  }
  const { as, evidence, by, confirm } = request;
  // Those that stay are found again by the next call, and must not count as remaining.
  const kept = found.flatMap((doubt) => keptBy(request, doubt, now));
  const keptNames = new Set(kept.map(doubtName));
  const open = found.filter((doubt) => !keptNames.has(doubtName(doubt)));
  const batch = open.slice(0, RESOLVED_AT_ONCE_MAX);
  const outcomes = await mapInFlight(batch, AT_A_TIME, async ({ jobId, effect, since }) => {
    const code = await codeOf(() => resolve(jobId, effect, { as, evidence, by, confirm, since, actId }));
    return code === undefined ? [] : [{ jobId, effect, code }];
  });
  const refused = outcomes.flat();
  return {
    ...about,
    doubts: [],
    resolved: batch.length - refused.length,
    skipped: [...refused, ...kept.slice(0, RESOLVED_AT_ONCE_MAX)],
    remaining: open.length - batch.length,
  };
}

type Skipped = ManyResolved["skipped"][number];

/** Why a doubt stays as it is, as an entry of what is skipped; empty if it does not. */
function keptBy(
  { as, confirm, completeUntil }: ManyDoubts,
  doubt: Doubt | SeenDoubt,
  now: number,
): Skipped[] {
  if (as === "done" || !isRead(doubt)) return [];
  const { jobId, effect } = doubt;
  if (completeUntil !== undefined && !wouldBeNamed(doubt, completeUntil, now))
    return [{ jobId, effect, code: "BEGAN_TOO_LATE" }];
  if (confirm) return [];
  if (doubt.report === "done") return [{ jobId, effect, code: "RUN_SAID_DONE" }];
  return doubt.mayStillRun ? [{ jobId, effect, code: "RUN_MAY_BE_PENDING" }] : [];
}

function isRead(doubt: Doubt | SeenDoubt): doubt is Doubt {
  return "reason" in doubt;
}

/** Named ones are resolved without a look, because the evidence is about them, unless it is that an export does not name them. */
async function wantedOf(
  find: DoubtSearch["find"],
  { ids, filter = {}, dryRun, completeUntil }: ManyDoubts,
  before: number,
): Promise<{ readonly found: readonly (Doubt | SeenDoubt)[]; readonly isAll: boolean }> {
  if (ids !== undefined && !dryRun && completeUntil === undefined) return { found: ids, isAll: true };
  const until = Math.min(filter.until ?? before, before);
  const listed = await find(ids === undefined ? { ...filter, until } : {});
  if (ids === undefined) return listed;
  return { found: listed.found.filter(isNamed(ids)), isAll: listed.isAll };
}

function requireNotDone({ as, completeUntil }: ManyDoubts): void {
  if (completeUntil !== undefined && as === "done")
    throw malformed([{ pointer: "/completeUntil", message: "expected only with as: not-done" }]);
}

/** The code of a refusal, which is no fault where others have resolved it. */
async function codeOf(act: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError && !error.retryable) return error.code;
    throw error;
  }
}

export interface DoubtOperator {
  /** Lists effects in doubt that match, the oldest first. */
  doubts(offset: number, limit: number, filter?: DoubtFilter): Promise<Doubt[]>;
  doubtCounts(): Promise<ReadonlyMap<string, DoubtCount>>;
  /**
   * Resolves an effect in doubt. If its job waits for that, the job continues.
   *
   * @returns what happens to the job
   * @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`; where it would be not done without `confirm`, `RUN_MAY_BE_PENDING` if its
   * run may still be under way, and `RUN_SAID_DONE` if its run has reported that it was done
   */
  resolve(id: string, effect: string, resolution: Resolution): Promise<ResolvedJob>;
  /**
   * Resolves many effects in doubt with one piece of evidence, at most 1,000 a call: call it again, with `before`, while some remain.
   *
   * @throws HoldfastError `INVALID_REQUEST`
   */
  resolveMany(request: ManyDoubts): Promise<ManyResolved>;
  /** Groups doubts that match by what was seen, the largest group first. */
  doubtGroups(filter?: DoubtFilter): Promise<DoubtGroups>;
  /**
   * Asks the effects' own probes about doubts, at most 1,000 a call: call it again, with `before`, while some remain. The jobs run again for
   * that, on workers, and the answers are recorded as the probes'.
   *
   * @throws HoldfastError `INVALID_REQUEST`
   */
  askProbes(request: AskProbes): Promise<ProbesAsked>;
}

interface DoubtParts {
  readonly stores: QueueStores;
  readonly application: Pick<Application, "jobs" | "queues">;
  /** How long a ledger is kept that no job uses. */
  readonly retentionMs: number;
  readonly events: Events;
}

export function openDoubtOperator({
  stores,
  application: { jobs, queues },
  retentionMs,
  events,
}: DoubtParts): DoubtOperator {
  /** Those of guards, too. Nobody may have a guard open, so whoever looks at doubts finds the overdue ones. */
  const partitions = async () => {
    const ofGuard = storesOfGuard(stores);
    await Promise.all(ofGuard.map((store) => sweepPlace(store).catch(() => 0)));
    return [...stores.partitionsOf(queues), ...ofGuard];
  };
  /** Of every doubt: acts look at all that they may read. */
  const search = async (): Promise<DoubtSearch> => {
    const [all, now] = await Promise.all([partitions(), redisNow(stores.client)]);
    return { find: (filter) => findDoubts(all, jobs, filter), now: Math.floor(now) };
  };
  const resolveDoubt = openDoubtResolver(retentionMs, events);
  const resolveOne: ResolveOne = (id, effect, resolution) =>
    resolveDoubt(storeOf(stores, id), id, effect, resolution);
  return {
    async doubts(offset, limit, filter = {}) {
      const most = isNarrow(filter)
        ? SEARCHED_MAX
        : givenCount(offset, "/offset") + givenCount(limit, "/limit");
      const { found } = await inTime(partitions().then((all) => findDoubts(all, jobs, filter, most)));
      return found.slice(offset, offset + limit);
    },
    async doubtCounts() {
      const places = [
        ...queues.map((queue) => [queue, stores.partitionsOf([queue])] as const),
        [GUARD_QUEUE, storesOfGuard(stores)] as const,
      ];
      const counts = places.map(
        async ([queue, partitions]) => [queue, await countDoubts(partitions)] as const,
      );
      return new Map(await inTime(Promise.all(counts)));
    },
    resolve: async (id, effect, resolution) => await inTime(resolveOne(id, effect, resolution)),
    resolveMany: (request) => inTime(search().then((found) => resolveMany(found, resolveOne, request))),
    doubtGroups: (filter = {}) => inTime(search().then(async ({ find }) => groupDoubts(await find(filter)))),
    askProbes: (request) =>
      inTime(search().then((found) => askProbes(found, (id) => storeOf(stores, id), request))),
  };
}

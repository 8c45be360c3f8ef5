import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Events } from "../../core/events.ts";
import type { Resolution, ResolvedJob } from "../../core/job/resolution.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { storeOf } from "../jobs/job-operator.ts";
import { countDoubts, type Doubt, type DoubtCount, listDoubts, openDoubtResolver } from "./doubts.ts";
import {
  type DoubtFilter,
  findDoubts,
  isNarrow,
  type ManyDoubts,
  type ManyResolved,
  type ResolveOne,
  resolveMany,
} from "./doubts-many.ts";

/** What a person can do with effects in doubt. */
export interface DoubtOperator {
  /** Lists effects in doubt that match, the oldest first. */
  doubts(offset: number, limit: number, filter?: DoubtFilter): Promise<Doubt[]>;
  doubtCounts(): Promise<ReadonlyMap<string, DoubtCount>>;
  /**
   * Resolves an effect in doubt. If its job waits for that, the job continues.
   *
   * @returns what happens to the job
   * @throws HoldfastError `JOB_NOT_FOUND`, `EFFECT_NOT_IN_DOUBT`; `RUN_MAY_BE_PENDING` where it would be not done without `confirm`, and its
   * run may still be under way
   */
  resolve(id: string, effect: string, resolution: Resolution): Promise<ResolvedJob>;
  /**
   * Resolves many effects in doubt with one piece of evidence, at most 1,000 a call: call it again, with `before`, while some remain.
   *
   * @throws HoldfastError `INVALID_REQUEST`
   */
  resolveMany(request: ManyDoubts): Promise<ManyResolved>;
}

interface DoubtParts {
  readonly stores: QueueStores;
  readonly queues: readonly string[];
  /** How long a ledger is kept that no job uses. */
  readonly retentionMs: number;
  readonly events: Events;
}

export function openDoubtOperator({ stores, queues, retentionMs, events }: DoubtParts): DoubtOperator {
  const partitions = () => stores.partitionsOf(queues);
  const resolveDoubt = openDoubtResolver(retentionMs, events);
  const resolveOne: ResolveOne = (id, effect, resolution) =>
    resolveDoubt(storeOf(stores, id), id, effect, resolution);
  return {
    async doubts(offset, limit, filter) {
      if (filter !== undefined && isNarrow(filter))
        return (await inTime(findDoubts(partitions(), filter))).found.slice(offset, offset + limit);
      const lists = await inTime(
        Promise.all(partitions().map((store) => listDoubts(store, 0, offset + limit))),
      );
      return lists
        .flat()
        .sort((a, b) => a.since.localeCompare(b.since))
        .slice(offset, offset + limit);
    },
    async doubtCounts() {
      const counts = queues.map(
        async (queue) => [queue, await countDoubts(stores.partitionsOf([queue]))] as const,
      );
      return new Map(await inTime(Promise.all(counts)));
    },
    resolve: async (id, effect, resolution) => await inTime(resolveOne(id, effect, resolution)),
    resolveMany: (request) => inTime(resolveMany(partitions(), resolveOne, request)),
  };
}

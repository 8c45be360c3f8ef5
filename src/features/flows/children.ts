import type { DeclaredChild } from "../../core/bullmq/add/envelope.ts";
import type { ClaimedJob } from "../../core/bullmq/claim/claimed-job.ts";
import type { Lease } from "../../core/bullmq/claim/lease.ts";
import { readFailure } from "../../core/bullmq/readable.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { AttemptMembers } from "../../core/job/attempt.ts";
import { parseJobId } from "../../core/job/job-id.ts";
import type { AttemptPart } from "../../core/run/given-attempt.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import { redisFault } from "../../platform/redis/redis-errors.ts";
import { pairsOf } from "../../platform/redis/reply-shape.ts";
import type { Child, ChildType } from "./flow.ts";

/** About as many values of 64 KiB as a command may return. */
const PAGE = 100;

type Pages = AsyncIterable<readonly Child[]> | Iterable<readonly Child[]>;

/** Gives the handlers of a partition's parents their children. */
export function childrenInAttempts(store: QueueStore): Required<AttemptPart> {
  const childrenOf = ({ id, envelope: { children } }: ClaimedJob) =>
    Array.isArray(children) ? openChildren(store, id, children) : undefined;
  return {
    beforeHandler(job) {
      const children = childrenOf(job);
      return children && requireFinished(children);
    },
    given: (job, abort) =>
      givenChildren(() => {
        const children = childrenOf(job);
        return children === undefined ? [] : children.pages(job.lease);
      }, abort),
  };
}

/** Other tools can put a parent in line too early. BullMQ would run it, and then not let it complete. */
async function requireFinished(children: ReturnType<typeof openChildren>): Promise<void> {
  const count = await children.countUnfinished().catch((error: unknown) => Promise.reject(redisFault(error)));
  if (count === 0) return;
  const message = `${count} children have not completed; retry the parent with Holdfast`;
  throw new HoldfastError("CHILD_FAILED", message);
}

/** What a handler gets. */
export function givenChildren(pages: () => Pages, abort: Abort): Pick<AttemptMembers, "children"> {
  return { children: (of) => readChildren(pages, abort, of) };
}

/** A child's own worker has checked its result. */
async function* readChildren<Result>(
  pages: () => Pages,
  abort: Abort,
  of: ChildType<Result> | undefined,
): AsyncGenerator<Child<Result>, void> {
  for await (const page of pages()) {
    for (const child of page) {
      abort.throwIfAborted();
      if (of === undefined || of.type === child.type) yield child as Child<Result>;
    }
  }
}

/** The children of a parent that runs. BullMQ keeps their results with the parent, also after the children are removed. */
function openChildren(store: QueueStore, parentId: string, declared: readonly DeclaredChild[]) {
  const { client } = store;
  const keys = store.keys.children(parentId);
  const places = new Map(declared.map((child, index) => [child[0], { child, index }]));

  function placeOf(id: string): Pick<Child, "id" | "type" | "name" | "index"> {
    const { child, index = -1 } = places.get(parseJobId(id)?.fingerprint ?? "") ?? {};
    const [, type = "", name = String(index)] = child ?? [];
    return { id, type, name, index };
  }

  /** A scan can return an entry twice. */
  async function* entries(key: string, seen: Set<string>): AsyncGenerator<[id: string, value: string][]> {
    let cursor = "0";
    do {
      const [next, page] = await client.hscan(key, cursor, "COUNT", PAGE);
      cursor = next;
      yield pairsOf(page)
        .map(([child, value]): [string, string] => [child.slice(store.keys.start.length), value])
        .filter(([id]) => !seen.has(id) && seen.add(id));
    } while (cursor !== "0");
  }

  return {
    /** How many have not ended, or have failed their parent. */
    async countUnfinished() {
      const counts = await Promise.all([client.scard(keys.dependencies), client.zcard(keys.unsuccessful)]);
      return counts[0] + counts[1];
    },
    /** Reads them page by page, in no order. @throws HoldfastError `STORE_UNAVAILABLE`, `DECRYPTION_FAILED` */
    async *pages(lease: Lease): AsyncGenerator<readonly Child[], void> {
      const seen = new Set<string>();
      try {
        for await (const page of entries(keys.processed, seen))
          yield page.map(([id, json]) => {
            const result: unknown = store.decryptValue(id, "result", JSON.parse(json));
            return { ...placeOf(id), state: "completed", result };
          });
        for await (const page of entries(keys.failed, seen))
          yield page.map(([id, reason]) => {
            const error = readFailure(store, id, reason);
            return { ...placeOf(id), state: "failed", error };
          });
      } catch (error) {
        // The texts of Redis name keys and addresses: they must not become a job's error.
        throw lease.own(redisFault(error));
      }
    },
  };
}

import type { DeclaredChild } from "../../core/bullmq/add/envelope.ts";
import type { ClaimedChildren } from "../../core/bullmq/claim/claimed-job.ts";
import { readFailure } from "../../core/bullmq/readable.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { parseJobId } from "../../core/job/job-id.ts";
import type { Child } from "./flow.ts";

/** About as many values of 64 KiB as a command may return. */
const PAGE = 100;

/** The children of a parent that runs. BullMQ keeps their results with the parent, also after the children are removed. */
export function openChildren(
  store: QueueStore,
  parentId: string,
  declared: readonly DeclaredChild[],
): ClaimedChildren {
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
    async countUnfinished() {
      const counts = await Promise.all([client.scard(keys.dependencies), client.zcard(keys.unsuccessful)]);
      return counts[0] + counts[1];
    },
    async *pages() {
      const seen = new Set<string>();
      for await (const page of entries(keys.processed, seen)) {
        yield page.map(([id, json]) => {
          const result: unknown = store.decryptValue(id, "result", JSON.parse(json));
          return { ...placeOf(id), state: "completed", result };
        });
      }
      for await (const page of entries(keys.failed, seen))
        yield page.map(([id, reason]) => ({
          ...placeOf(id),
          state: "failed",
          error: readFailure(store, id, reason),
        }));
    },
  };
}

function pairsOf(page: readonly string[]): [field: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < page.length; at += 2) pairs.push([page[at] ?? "", page[at + 1] ?? ""]);
  return pairs;
}

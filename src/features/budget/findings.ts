import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { CheckedSystem } from "../../core/feature.ts";
import { guardedBytes } from "../../guard/places.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, findings } from "../../platform/errors/finding.ts";
import { serversOf } from "../../platform/redis/connection.ts";
import { mebibytes, readMemory } from "../../platform/redis/redis-load.ts";
import { type Budget, budgetsOf, bytesOf, readShares, type Share } from "./shares.ts";

/** Workers look each second: what stays above a budget by more than this cannot be removed. */
const TOLERATED = 1.1;

/** Checks each budget of ended jobs, and whether Redis is full before they reach the one for all. */
export async function diagnoseBudgets({
  application,
  stores,
  settings: { HOLDFAST_KEEP_BYTES: keepBytes },
}: Omit<CheckedSystem, "settings"> & {
  readonly settings: Pick<Settings, "HOLDFAST_KEEP_BYTES">;
}): Promise<Finding[]> {
  const budgets = budgetsOf(application, keepBytes);
  if (budgets.length === 0) return [];
  const partitions = stores.partitionsOf(application.queues);
  const shares = (await Promise.all(partitions.map(readShares))).flat();
  if (shares.length === 0 && (await hasEnded(partitions))) return [uncounted()];
  const remembered = await guardedBytes(stores);
  return findings(
    budgets.map((budget) => within(budget, shares, budget.type === undefined ? remembered : 0)),
    keepBytes === undefined ? undefined : await roomFor(keepBytes, stores, shares),
  );
}

async function hasEnded(partitions: readonly QueueStore[]): Promise<boolean> {
  const counts = partitions.flatMap(({ client, keys }) =>
    [keys.completed, keys.failed].map((key) => client.zcard(key)),
  );
  return (await Promise.all(counts)).some((count) => count > 0);
}

function uncounted(): Finding {
  return finding("budget of ended jobs", "warn", "jobs have ended, and none is counted", {
    reason: "no worker with a budget runs, or Redis refuses what it counts with; no ended job is removed",
    remedy:
      "see that a worker runs with HOLDFAST_KEEP_BYTES, and that Redis's user may call MEMORY USAGE (+memory|usage)",
  });
}

/** @param remembered bytes of keys of guards */
function within({ type, bytes }: Budget, shares: readonly Share[], remembered: number): Finding {
  const used = bytesOf(shares, type) + remembered;
  const failed = bytesOf(
    shares.filter(({ state }) => state === "failed"),
    type,
  );
  const name = type === undefined ? "budget of ended jobs" : `budget of ended jobs of ${type}`;
  if (remembered > bytes / 2) return remembersMuch(name, remembered, bytes);
  const isOver = used > bytes * TOLERATED;
  return finding(name, isOver ? "warn" : "ok", `${mebibytes(used)} of ${mebibytes(bytes)}`, {
    reason:
      failed > bytes
        ? `failed jobs alone take ${mebibytes(failed)}: no completed one stays`
        : "failed jobs of the last day and jobs in doubt stay, and no job goes while no worker runs",
    remedy:
      "see that a worker runs; resolve doubts, and holdfast jobs clean --state failed; or raise the budget",
  });
}

function remembersMuch(name: string, remembered: number, bytes: number): Finding {
  return finding(name, "warn", `keys of guards take ${mebibytes(remembered)} of ${mebibytes(bytes)}`, {
    reason:
      "ended jobs make room for them, and once they take all of it, calls with new keys are refused (STORE_FULL)",
    remedy: "raise HOLDFAST_KEEP_BYTES, or give effects a shorter rememberMs",
  });
}

/** In a cluster, of all masters together. */
async function roomFor(
  keepBytes: number,
  { client }: QueueStores,
  shares: readonly Share[],
): Promise<Finding | undefined> {
  const memories = await Promise.all(serversOf(client).map(readMemory));
  const sum = (of: "used" | "acceptsUntil") =>
    memories.reduce((total, memory) => total + (memory[of] ?? 0), 0);
  if (memories.some(({ limit }) => limit === undefined)) return undefined;
  const others = Math.max(0, sum("used") - bytesOf(shares));
  const room = sum("acceptsUntil") - others;
  const found = `${mebibytes(keepBytes)}, and ${mebibytes(Math.max(0, room))} are left for ended jobs`;
  return finding("room for ended jobs", keepBytes > room ? "warn" : "ok", found, {
    reason: "Redis refuses new jobs (STORE_FULL) before a worker removes an ended one",
    remedy: "lower HOLDFAST_KEEP_BYTES below that, or give Redis more memory",
  });
}

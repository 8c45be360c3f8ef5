import { groupBy } from "../../lib/group-by.ts";
import type { LanePayload } from "./inside/contracts.ts";
import type { WitnessedEffect } from "./witness.ts";

/** What the witness saw of jobs that must run at most so many at a time for each key. */
export interface LaneFaults {
  /** Jobs of a limit of 1 that began before the one before them had ended, or after a later one had begun. */
  readonly outOfOrder: number;
  /** How often a job began while as many others of its key as the limit were under way. */
  readonly beyond: number;
  /** Jobs whose end nobody reported. */
  readonly missing: number;
  /** Those of them before which nobody is under way. */
  readonly forgotten: number;
  readonly begun: number;
  /** The most jobs of one key that were under way at a time. */
  readonly most: number;
}

export interface JudgedLane {
  readonly limit: number;
  readonly payloads: readonly LanePayload[];
}

/**
 * Judges the order in which the witness learnt of beginnings and ends. A job is under way from its first beginning to its first
 * reported end, also while its killed worker's lock lasts or it waits for a retry.
 */
export function laneFaults(witnessed: readonly WitnessedEffect[], lanes: readonly JudgedLane[]): LaneFaults {
  const seen = groupBy(witnessed, ({ job }) => job);
  const judged = lanes.map(({ limit, payloads }) => {
    const [first] = payloads;
    return judge(seen.get(first?.lane ?? "") ?? [], limit, payloads.length);
  });
  const sum = (count: (faults: LaneFaults) => number) => judged.reduce((all, each) => all + count(each), 0);
  return {
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    beyond: sum(({ beyond }) => beyond),
    missing: sum(({ missing }) => missing),
    forgotten: sum(({ forgotten }) => forgotten),
    begun: sum(({ begun }) => begun),
    most: Math.max(0, ...judged.map(({ most }) => most)),
  };
}

function judge(events: readonly WitnessedEffect[], limit: number, count: number): LaneFaults {
  const [begun, ended] = [new Set<number>(), new Set<number>()];
  let [outOfOrder, beyond, attempts, most] = [0, 0, 0, 0];
  for (const { key } of events) {
    const [what, text] = key.split("/");
    const place = Number(text);
    if (what === "end") {
      ended.add(place);
      continue;
    }
    attempts += 1;
    begun.add(place);
    const underWay = [...begun].filter((other) => !ended.has(other) || other === place).length;
    most = Math.max(most, underWay);
    if (underWay > limit) beyond += 1;
    const isNext = ended.size >= place && Math.max(...begun) === place;
    if (limit === 1 && !isNext) outOfOrder += 1;
  }
  const missing = count - ended.size;
  const forgotten = begun.size === ended.size ? missing : 0;
  return { outOfOrder, beyond, missing, forgotten, begun: attempts, most };
}

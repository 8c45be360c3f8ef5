import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { declaredName } from "../../core/effect/ledger/ledger-texts.ts";
import { type Finding, finding } from "../../platform/errors/finding.ts";
import { counted } from "../counted.ts";
import { listDoubts } from "../doubts/doubts.ts";

/** Of each partition. */
const LOOKED_AT_MAX = 1_000;

interface Lacking {
  readonly type: string;
  readonly effect: string;
  readonly classify: string;
  /** What the classifier would have read, and of how many doubts. */
  readonly reasons: Map<string, number>;
}

/** Effects whose doubts a classifier would have proved to be none: which line they lack, and how many doubts that made. */
export async function diagnoseHints(partitions: readonly QueueStore[]): Promise<Finding[]> {
  const doubts = await Promise.all(partitions.map((store) => listDoubts(store, 0, LOOKED_AT_MAX)));
  const lacking = new Map<string, Lacking>();
  for (const { type, effect, hint, by } of doubts.flat()) {
    if (hint === null || (type === null && by === undefined)) continue;
    const { classify, why } = hint;
    const own = { type: type ?? "a guard", effect: declaredName(effect), classify };
    const id = JSON.stringify(own);
    const known = lacking.get(id) ?? { ...own, reasons: new Map<string, number>() };
    known.reasons.set(why, (known.reasons.get(why) ?? 0) + 1);
    lacking.set(id, known);
  }
  return [...lacking.values()].map(findingOf);
}

function findingOf({ type, effect, classify, reasons }: Lacking): Finding {
  const total = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  const [[only] = [], ...others] = reasons;
  const whys = others.length === 0 ? only : [...reasons].map(([why, count]) => `${count} ${why}`).join("; ");
  const found = `${counted(total, "doubt")} of effect ${effect}: ${whys}`;
  return finding(`effect ${effect} of ${type}`, "warn", found, {
    reason: `\`classify: ${classify}\` proves such: they would have been tried again, without a person`,
    remedy: `declare classify: ${classify} (of holdfast/evidence) if the effect is one such call and nothing else`,
  });
}

import { z } from "zod";
import { declaredName } from "../../core/effect/ledger/ledger-texts.ts";
import type { FoundDoubts } from "./doubt-filter.ts";
import type { Doubt } from "./doubts.ts";

const groupSchema = z.object({
  verdict: z.string().meta({
    description: "What became of the last thing that the effects were seen to send.",
    examples: ["answered 500"],
  }),
  type: z.string().nullable().meta({ description: "Null where the job is gone, and where no job ran it." }),
  effect: z.string().meta({ description: "Without its index." }),
  count: z.int(),
  mayStillRun: z.int().meta({ description: "Of how many the run may still be under way." }),
  mayAskProbe: z.int().meta({ description: "Of how many the probe can be asked." }),
  oldestSince: z.iso.datetime(),
});
export const doubtGroupsSchema = z.object({
  groups: z.array(groupSchema).describe("The largest first."),
  isExact: z.boolean().meta({ description: "If not, there are at least as many as the counts say." }),
});

/** Doubts that look alike: most of them have the same answer. */
export type DoubtGroup = Readonly<z.output<typeof groupSchema>>;
export type DoubtGroups = Readonly<z.output<typeof doubtGroupsSchema>>;

/** Groups doubts by what was seen, type and effect. @param found the oldest first */
export function groupDoubts({ found, isAll }: FoundDoubts): DoubtGroups {
  const groups = new Map<string, DoubtGroup>();
  for (const doubt of found) {
    const { verdict, type } = doubt;
    const effect = declaredName(doubt.effect);
    const id = JSON.stringify([verdict, type, effect]);
    const before = groups.get(id) ?? {
      ...{ verdict, type, effect, count: 0, mayStillRun: 0, mayAskProbe: 0 },
      oldestSince: doubt.since,
    };
    groups.set(id, added(before, doubt));
  }
  return { groups: [...groups.values()].sort((a, b) => b.count - a.count), isExact: isAll };
}

function added(group: DoubtGroup, { mayStillRun, mayAskProbe }: Doubt): DoubtGroup {
  return {
    ...group,
    count: group.count + 1,
    mayStillRun: group.mayStillRun + Number(mayStillRun),
    mayAskProbe: group.mayAskProbe + Number(mayAskProbe),
  };
}

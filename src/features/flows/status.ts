import { z } from "zod";
import type { StatusPart } from "../../core/status/read-status.ts";

const childrenSchema = z.object({
  total: z.int(),
  waiting: z.int().meta({ description: "Those that have not ended." }),
  completed: z.int(),
  failed: z.int(),
  isWhole: z.boolean().meta({
    description: "False for a flow that is half submitted: it runs when the same flow is submitted again.",
  }),
});

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    parentId?: string | undefined;
    children?: z.output<typeof childrenSchema> | undefined;
  }
}

/**
 * What read.lua returns: BullMQ's key of the flow's parent; and of a parent how many of its children wait or run, have completed, have
 * failed, and 0 for a flow that has not got all of them.
 */
type Read = readonly [
  parentKey: string | null,
  children: readonly [waiting: number, completed: number, failed: number, isWhole: 0 | 1] | null,
];

export const flowsStatus = {
  name: "flows",
  members: {
    parentId: z.string().optional().meta({ description: "The parent of the flow that the job belongs to." }),
    children: childrenSchema.optional().meta({ description: "How many children the parent of a flow has." }),
  },
  of(read) {
    if (read === undefined) return {};
    const [parentKey, counts] = read as Read;
    return {
      ...(parentKey !== null && { parentId: idInKey(parentKey) }),
      ...(counts !== null && { children: childrenOf(counts) }),
    };
  },
} as const satisfies StatusPart;

function childrenOf([waiting, completed, failed, isWhole]: NonNullable<Read[1]>) {
  return { total: waiting + completed + failed, waiting, completed, failed, isWhole: isWhole === 1 };
}

/** The id of the job that a key of BullMQ's is of. */
function idInKey(key: string): string {
  return key.slice(key.lastIndexOf(":") + 1);
}

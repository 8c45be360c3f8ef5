import type { z } from "zod";
import type { QueueStore } from "../bullmq/store/queue-store.ts";

/** What features show of a job type: they add to it. */
// biome-ignore lint/suspicious/noEmptyInterface: features add to it
export interface FeatureTypeOverview {}

/** What an overview shows of a feature for each job type. */
export interface OverviewPart {
  /** Its members of a type's overview, as answers declare them. */
  readonly members: z.core.$ZodShape;
  /** Reads what the queues have of all types. Loaded by those that read overviews. @returns what it is for one type */
  readonly read: (
    partitions: readonly QueueStore[],
  ) => Promise<(type: string) => Partial<FeatureTypeOverview>>;
  /** Its columns of the types in text, shown where a type has something in them: the one with the lowest number is left out first. */
  readonly columns?: readonly (readonly [
    name: string,
    cell: (type: FeatureTypeOverview) => string | null,
    rank: number,
  ])[];
}

import type { z } from "zod";
import type { JobOptions } from "../bullmq/stored-job.ts";
import type { FeatureStatus } from "../job/job-status.ts";

/** What a feature shows of a job. */
export interface StatusPart {
  /** The name under which its Lua reads of a job: see features/points/read.lua. */
  readonly name: string;
  /** Its members of a status, as answers declare them. */
  readonly members: z.core.$ZodShape;
  /**
   * @param read what its Lua read; undefined where it read nothing
   * @param options of the job; anything, where they are not what Holdfast wrote
   */
  of(read: unknown, options: JobOptions): Partial<FeatureStatus>;
}

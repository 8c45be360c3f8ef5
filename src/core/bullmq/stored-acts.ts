import { z } from "zod";

/** Who does something to a job, and why, as scripts record it. */
export interface StoredAct {
  readonly by: string;
  /** Perhaps encrypted; absent where no reason was given. */
  readonly evidence?: string | undefined;
  /** The act on many jobs that it is part of. */
  readonly actId?: string | undefined;
}

const keptSchema = z.object({
  at: z.number(),
  as: z.string(),
  by: z.string(),
  evidence: z.string().default(""),
  effect: z.string().default(""),
  dedupKey: z.string().default(""),
  actId: z.string().nullable().default(null),
});
/** The same as it is kept with the job. */
export type KeptAct = Readonly<z.output<typeof keptSchema>>;

/** Reads them from a job's field. Anything else is skipped. */
export function keptActs(json = "[]"): KeptAct[] {
  try {
    const found: unknown = JSON.parse(json);
    return Array.isArray(found) ? found.flatMap((act) => keptSchema.safeParse(act).data ?? []) : [];
  } catch {
    return [];
  }
}

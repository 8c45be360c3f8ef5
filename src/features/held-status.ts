import { z } from "zod";
import type { StatusPart } from "../core/status/read-status.ts";
import { isoTime } from "../platform/lib/iso-time.ts";

const heldSchema = z.object({
  lane: z.string().meta({ description: "Hash of the key that it is held by: equal in jobs of one key." }),
  behind: z.int().meta({ description: "How many jobs of its key are before it, those under way included." }),
  limit: z.int().meta({
    description: "How many jobs of its key may be under way at a time, or start in `windowMs`.",
  }),
  windowMs: z.int().optional().meta({ description: "Only where the starts of its key are limited." }),
  until: z.iso.datetime().optional().meta({
    description: "From when on it may start; only where starts are limited, and it is next.",
  }),
});

declare module "../core/job/job-status.ts" {
  interface FeatureStatus {
    held?: z.output<typeof heldSchema> | undefined;
  }
}

/** What the Lua of a feature returns of a job that it holds. */
type Read = readonly [lane: string, behind: number, limit: number, windowMs?: number, until?: number];

/** What a job waits for that is held, and for its turn. */
export const heldStatus = {
  name: "held",
  members: {
    held: heldSchema.optional().meta({
      description: "Only of a waiting job that waits for others of its key, or for the key's rate.",
    }),
  },
  of(read) {
    if (read === undefined) return {};
    const [lane, behind, limit, windowMs, until] = read as Read;
    const rate = {
      ...(windowMs !== undefined && { windowMs }),
      ...(until !== undefined && { until: isoTime(until) }),
    };
    return { held: { lane, behind, limit, ...rate } };
  },
} as const satisfies StatusPart;

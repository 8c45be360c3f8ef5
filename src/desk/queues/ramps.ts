import { z } from "zod";
import type { Ramp } from "../../core/bullmq/ramp.ts";
import { exactDurationText } from "../../platform/lib/duration-text.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import type { Act } from "../audit/audit-log.ts";
import { durationOf } from "../jobs/instant.ts";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 24 * 3_600_000;
const EXPECTED = 'a time of 1 s to 24 h, such as "10m"';

/** `overMs`: in which time a queue reaches full speed. */
export interface ResumeAct extends Act {
  /** @default at once */
  readonly overMs?: number | undefined;
}

// From JavaScript, anything can come.
export const resumeActSchema = z.object({
  reason: z.string().optional(),
  by: z.string(),
  overMs: z.int().min(SHORTEST_MS).max(LONGEST_MS).optional(),
});

/** In which time a queue is at its full speed again. */
export const overSchema = z
  .string()
  .refine((text) => parseOver(text) !== undefined, { error: `expected ${EXPECTED}` })
  .meta({
    description: "How long its jobs take to reach full speed, 1 s to 24 h; without it they do at once.",
    examples: ["10m"],
  });

/** @returns milliseconds; undefined for what is no such time */
export function parseOver(text: string): number | undefined {
  const ms = durationOf(text);
  return ms !== undefined && ms >= SHORTEST_MS && ms <= LONGEST_MS ? ms : undefined;
}

export const rampSchema = z.object({
  since: z.iso.datetime(),
  until: z.iso.datetime().meta({ description: "When it is at full speed." }),
  slots: z.int().meta({
    description:
      "How many jobs may be active in the end, with the workers that are alive now: at first it is one.",
  }),
});

/** As people see it; null for a queue that is at full speed. */
export function shownRamp(ramp: Ramp | undefined): z.output<typeof rampSchema> | null {
  if (ramp === undefined) return null;
  const { since, overMs, slots } = ramp;
  return { since: nearestTime(since), until: nearestTime(since + overMs), slots };
}

/** @example "ramping up, 40 %, until 2026-12-01T03:12:00.000Z" */
export function rampText({ since, until }: z.output<typeof rampSchema>, now: number): string {
  const [from, to] = [Date.parse(since), Date.parse(until)];
  const share = Math.min(99, Math.max(0, Math.floor(((now - from) / (to - from)) * 100)));
  return `ramping up, ${share} %, until ${until}`;
}

/** What the audit log says of it. @param isPaused whether it was */
export function resumeReason({ reason, overMs }: ResumeAct, isPaused: boolean): string | undefined {
  const speed = overMs === undefined ? "at full speed" : `over ${exactDurationText(overMs)}`;
  const texts = [
    ...(reason === undefined ? [] : [reason]),
    ...(isPaused && overMs === undefined ? [] : [speed]),
    ...(isPaused ? [] : ["it was not paused"]),
  ];
  return texts.length === 0 ? undefined : texts.join(", ");
}

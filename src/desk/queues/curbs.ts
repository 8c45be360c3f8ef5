import { z } from "zod";
import type { CurbOf } from "../../core/bullmq/curb/curb-name.ts";
import { type Curb, readCurbs, setCurb } from "../../core/bullmq/curb/curbs.ts";
import type { Partitions } from "../../core/bullmq/queue-control.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";

/** Which jobs of a queue are meant, in a body: all, those of one type, or those of one key. */
export const curbOfShape = {
  type: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: "Only jobs of this type, not the queue.", examples: ["webhook"] }),
  key: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: "Only jobs whose key has this label, not the queue.", examples: ["customer:42"] }),
};

/** A type or a key of a queue that an operator has paused or limited. */
export const curbSchema = z.object({
  type: z.string().nullable().meta({ description: "Null where it is a key." }),
  key: z.string().nullable().meta({ description: "The label of a key. Null where it is a type." }),
  concurrency: z.int().nullable().meta({ description: "How many may run at a time; null: it is paused." }),
  reason: z.string(),
  by: z.string(),
  since: z.iso.datetime(),
  held: z.int().meta({
    description: "How many jobs it holds back, as far as workers have come to them: others may be in line.",
  }),
});
export type CurbView = Readonly<z.output<typeof curbSchema>>;

/** Reads what is curbed of a queue, the longest first. */
export async function readCurbViews(partitions: Partitions): Promise<CurbView[]> {
  return (await readCurbs(partitions)).map((curb) => curbView(curb, partitions.length));
}

function curbView({ limit, since, ...curb }: Curb, partitions: number): CurbView {
  return { ...curb, concurrency: limit === 0 ? null : limit * partitions, since: nearestTime(since) };
}

/** Undefined where the whole queue is meant. @throws HoldfastError `INVALID_REQUEST` for both a type and a key */
export function curbOf({
  type,
  key,
}: {
  type?: string | undefined;
  key?: string | undefined;
}): CurbOf | undefined {
  if (type !== undefined && key !== undefined)
    throw malformed([{ pointer: "/key", message: "expected either a type or a key" }]);
  if (type !== undefined) return { type };
  return key === undefined ? undefined : { key };
}

export function curbText({ type, key }: CurbOf): string {
  return type === undefined ? `key ${key}` : `type ${type}`;
}

/**
 * A misspelt type would be curbed without a word, and none of its jobs.
 *
 * @throws HoldfastError `UNKNOWN_JOB_TYPE`
 */
export function requireTypeOf(queue: string, { type }: CurbOf, jobs: ReadonlyMap<string, JobContract>): void {
  if (type === undefined || jobs.get(type)?.queue === queue) return;
  throw new HoldfastError("UNKNOWN_JOB_TYPE", `Queue ${queue} has no type ${JSON.stringify(type)}`);
}

interface WantedCurb {
  readonly reason: string;
  readonly by: string;
  /** How many may run at a time; undefined: none. */
  readonly concurrency?: number | undefined;
}

/**
 * Lets no further job of it start, or a few at a time. Those that run go on; those that wait are held once workers come to them.
 *
 * @throws HoldfastError `CHANGED_MEANWHILE`
 */
export async function curb(
  partitions: Partitions,
  of: CurbOf,
  wanted: WantedCurb,
  seen?: SeenSince,
): Promise<void> {
  const { reason, by, concurrency = 0 } = wanted;
  const [{ client }] = partitions;
  const limit = concurrency === 0 ? 0 : Math.max(1, Math.floor(concurrency / partitions.length));
  const since = Math.floor(await redisNow(client));
  if (!(await setCurb(partitions, of, { reason, by, limit, since }, sinceArgument(seen))))
    throw await curbChanged(partitions, of);
}

/**
 * Those that were held line up again, behind those that wait: a worker lets them in within a second.
 *
 * @throws HoldfastError `CHANGED_MEANWHILE`
 */
export async function letGo(partitions: Partitions, of: CurbOf, seen?: SeenSince): Promise<void> {
  if (!(await setCurb(partitions, of, undefined, sinceArgument(seen))))
    throw await curbChanged(partitions, of);
}

export async function isCurbed(partitions: Partitions, of: CurbOf): Promise<boolean> {
  return (await readCurb(partitions, of)) !== undefined;
}

async function readCurb(partitions: Partitions, of: CurbOf) {
  const curbs = await readCurbs(partitions);
  return curbs.find(({ type, key }) => type === (of.type ?? null) && key === (of.key ?? null));
}

/** Since when something is as somebody has seen it who acts on it: ISO 8601, null where it is not so. */
export type SeenSince = string | null;

/** For scripts: empty for whatever it is, 0 for not at all. */
export function sinceArgument(seen: SeenSince | undefined): number | "" {
  if (seen === undefined) return "";
  return seen === null ? 0 : Date.parse(seen);
}

async function curbChanged(partitions: Partitions, of: CurbOf): Promise<HoldfastError> {
  const now = await readCurb(partitions, of);
  const text = now && (now.limit === 0 ? "paused" : `limited to ${now.limit * partitions.length} at a time`);
  const what =
    text === undefined ? "is neither paused nor limited any more" : `was ${text} by ${now?.by} meanwhile`;
  return new HoldfastError("CHANGED_MEANWHILE", `The ${curbText(of)} ${what}. Nothing was done`);
}

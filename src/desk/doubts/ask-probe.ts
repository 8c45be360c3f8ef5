import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { encryptEffectText, findStoredName } from "../../core/effect/ledger/ledger-texts.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { oneOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { instantInBody } from "../jobs/instant-schemas.ts";
import {
  AT_A_TIME,
  actIdSchema,
  type DoubtSearch,
  doubtFilter,
  doubtIdSchema,
  doubtName,
  isNamed,
  RESOLVED_AT_ONCE_MAX,
  requireDoubtScope,
  type SeenDoubt,
  seenDoubtSchema,
} from "./doubt-filter.ts";
import type { Doubt } from "./doubts.ts";

/** Doubts whose probe is to be asked: those named, those that match, or all. */
export const askProbesSchema = z
  .strictObject({
    ids: z.array(seenDoubtSchema).min(1).max(RESOLVED_AT_ONCE_MAX).optional(),
    filter: doubtFilter.schema.optional(),
    all: z.literal(true).optional().meta({ description: "Instead of ids or a filter: every doubt." }),
    reason: z.string().max(2_000).optional().meta({ description: "Kept in the audit log with each." }),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Change nothing, and answer what would be asked." }),
    before: instantInBody(
      "`before` of the first call, as long as some remain: doubts that began since then stay.",
    ),
    actId: actIdSchema,
  })
  .meta({ examples: [{ filter: { type: "invoice", effect: "charge" }, reason: "The provider is back" }] });
/** The same with who does it; `before` in milliseconds since 1970. */
export type AskProbes = Readonly<Omit<z.output<typeof askProbesSchema>, "dryRun" | "ids">> & {
  readonly ids?: readonly SeenDoubt[] | undefined;
  /** @default false */
  readonly dryRun?: boolean | undefined;
  readonly by: string;
};

export const probesAskedSchema = z.object({
  count: z.int().meta({ description: "How many matched at the beginning of this call." }),
  asked: z.int().meta({ description: "Whose jobs run again, and ask; of a dry run: whose would." }),
  skipped: z.array(doubtIdSchema.extend({ code: z.string() })).meta({
    description:
      "Those that stay as they are: `NO_PROBE`, because the effect is not declared with one; `JOB_NOT_FOUND`, because the job is gone that would ask, or there was none; `JOB_NOT_ENDED`, because its next attempt asks in any case; `CANCELLED`; `EFFECT_NOT_IN_DOUBT`, any more, or it is another doubt by now.",
  }),
  remaining: z.int().meta({ description: "Call again, with `before`, while this is above 0." }),
  isExact: z.boolean().meta({ description: "If not, there are at least as many as the counts say." }),
  before: z.iso.datetime(),
  actId: z.uuid().meta({ description: "For the next call, and of the audit log's entries." }),
});
/** The same, `before` in milliseconds since 1970. */
export type ProbesAsked = Readonly<
  Omit<z.output<typeof probesAskedSchema>, "before"> & { readonly before: number }
>;

const outcomes = ["asked", "not-in-doubt", "missing", "under-way", "cancelled"] as const;
const script = loadScript(import.meta.url, "ask-probe.lua", oneOf(...outcomes));

const codes = {
  "not-in-doubt": "EFFECT_NOT_IN_DOUBT",
  missing: "JOB_NOT_FOUND",
  "under-way": "JOB_NOT_ENDED",
  cancelled: "CANCELLED",
} as const;

/**
 * Lets the jobs of at most 1,000 doubts run again, so that their handlers ask the probes: those are code of the application, which only
 * workers have. What a probe answers is resolved as its own, with `probe` in the audit log.
 *
 * @throws HoldfastError `INVALID_REQUEST` for anything but ids, a filter or all
 */
export async function askProbes(
  { find, now }: DoubtSearch,
  storeOf: (jobId: string) => QueueStore,
  request: AskProbes,
): Promise<ProbesAsked> {
  requireDoubtScope(request);
  const before = Math.min(request.before ?? now, now);
  const until = Math.min(request.filter?.until ?? before, before);
  const { found, isAll } = await find({ ...request.filter, until });
  const wanted = request.ids === undefined ? found : found.filter(isNamed(request.ids));
  const gone = request.ids === undefined ? [] : namedBut(request.ids, wanted);
  const open = wanted.filter(({ mayAskProbe }) => mayAskProbe);
  const without = wanted.filter(({ mayAskProbe }) => !mayAskProbe).map(skippedFor);
  const { actId = randomUUID() } = request;
  const about = { count: wanted.length + gone.length, isExact: isAll, before, actId };
  const skipped = [...gone, ...without].slice(0, RESOLVED_AT_ONCE_MAX);
  // Those that were asked since `before` are still in doubt, and would be asked for ever.
  const batch = open.filter(({ asked }) => asked === null || Date.parse(asked.at) < before);
  if (request.dryRun) return { ...about, asked: open.length, skipped, remaining: open.length };
  const asking = batch.slice(0, RESOLVED_AT_ONCE_MAX);
  const refused = await mapInFlight(asking, AT_A_TIME, async (doubt) => {
    const outcome = await askOne(storeOf(doubt.jobId), doubt, { ...request, actId });
    return outcome === "asked" ? [] : [{ jobId: doubt.jobId, effect: doubt.effect, code: codes[outcome] }];
  });
  const stayed = refused.flat();
  return {
    ...about,
    asked: asking.length - stayed.length,
    skipped: [...stayed, ...skipped],
    remaining: batch.length - asking.length,
  };
}

async function askOne(
  store: QueueStore,
  { dedupKey, effect, since }: Doubt,
  { by, reason = "", actId }: AskProbes & { readonly actId: string },
): Promise<(typeof outcomes)[number]> {
  const { client, keys } = store;
  const name = await findStoredName(store, dedupKey, effect);
  const evidence = encryptEffectText(store, { dedupKey, name }, "evidence", reason);
  const args = [name, dedupKey, keys.start, by, evidence, Date.parse(since), actId];
  return await script.run(client, [keys.ledger(dedupKey), keys.joinedJobs], args);
}

/** Without a job, whoever calls next asks; without a probe, only people know. */
function skippedFor({ jobId, effect, type }: Doubt): ProbesAsked["skipped"][number] {
  return { jobId, effect, code: type === null ? "JOB_NOT_FOUND" : "NO_PROBE" };
}

function namedBut(ids: readonly SeenDoubt[], found: readonly Doubt[]): ProbesAsked["skipped"] {
  const names = new Set(found.map(doubtName));
  return ids
    .filter((id) => !names.has(doubtName(id)))
    .map(({ jobId, effect }) => ({ jobId, effect, code: "EFFECT_NOT_IN_DOUBT" }));
}

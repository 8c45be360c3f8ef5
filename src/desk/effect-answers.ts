import { z } from "zod";
import { decryptedOrWhyNot, unlessWrongType } from "../core/bullmq/readable.ts";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import {
  decryptEffectText,
  findStoredName,
  readEvidence,
  type StoredEffect,
} from "../core/effect/ledger/ledger-texts.ts";
import { dedupKeyOf, effectKeyOf } from "../core/job/dedup-key.ts";
import type { JobStatus } from "../core/job/job-status.ts";
import { REDACTED, type Redaction, scrubberOf } from "../core/job/redaction.ts";
import { outgoingSchema } from "../evidence/outgoing/outgoing.ts";
import { evidenceText } from "../evidence/outgoing/outgoing-text.ts";
import { type DetailedEffects, detailedEffectsSchema } from "./doubts/doubted-runs.ts";

/** What is known of an effect that is done. */
export const answerShape = {
  effectKey: z.string().meta({ description: "What it may have passed downstream." }),
  worker: z.string().nullable().meta({ description: "The process that ran it; null where it is not known." }),
  sent: z.array(outgoingSchema).meta({
    description:
      "What its process saw it send, at most 20, never a query, header or body. Empty: nothing was seen, which does not mean that nothing was sent.",
  }),
  result: z
    .string()
    .nullable()
    .meta({ description: "What its function returned, as JSON; null where that is not kept." }),
  resolvedBy: z.string().nullable().meta({ description: "Who said that it is done, if it was in doubt." }),
};

const answerSchema = z.object({
  ...answerShape,
  text: z.string().meta({ description: "All of it as one text, to copy." }),
});
type Answer = Readonly<z.output<typeof answerSchema>>;

export const answeredEffectsSchema = z
  .array(detailedEffectsSchema.element.extend({ answer: answerSchema.optional() }))
  .meta({
    description:
      "The job's side effects, as far as they were begun. Those in doubt have `mayStillRun` and `workerSeenAt`; the first 100 that are done have an `answer`: what was sent, what was answered, when, and by which worker.",
  });
type AnsweredEffects = z.output<typeof answeredEffectsSchema>;

/** The members of a ledger's entry that answer what became of the effect. Another version may have written them. */
export interface AnsweredEntry {
  readonly worker?: string;
  readonly resolvedBy?: string;
  readonly seen?: string;
}

/** @param result as the ledger has it */
export function answerIn(
  store: QueueStore,
  effect: StoredEffect,
  entry: AnsweredEntry,
  result: string | null | undefined,
): Omit<Answer, "text"> {
  return {
    effectKey: effectKeyOf(effect.dedupKey, effect.name),
    worker: entry.worker ?? null,
    sent: readEvidence(store, effect, entry.seen),
    result:
      result == null ? null : decryptedOrWhyNot(() => decryptEffectText(store, effect, "result", result)),
    resolvedBy: entry.resolvedBy ?? null,
  };
}

/** One text, to copy. @param of what it is about: lines of a name and a value */
export function answerText(
  { effectKey, worker, sent, result, resolvedBy }: Omit<Answer, "text">,
  effect: { readonly name: string; readonly at: string },
  of: readonly (readonly [name: string, value: string | null])[],
): string {
  const facts = [
    ["effect", `${effect.name}, done`],
    ["when", effect.at],
    ...of,
    ["effect's key", effectKey],
    ["worker", worker],
    ["sent", evidenceText(sent)],
    ["answered", result],
    ["said done by", resolvedBy],
  ] as const;
  return facts.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(13)} ${value}`])).join("\n");
}

interface AnsweredJob extends Pick<JobStatus, "id" | "type" | "result"> {
  readonly idempotencyKey: string;
  readonly payload: unknown;
}

const ANSWERED_MAX = 100;

/** Adds to effects that are done what is known of them, without the secrets of the job's payload and result. */
export async function withAnswers(
  store: QueueStore,
  job: AnsweredJob,
  effects: DetailedEffects,
  redaction: Redaction,
): Promise<AnsweredEffects> {
  const done = effects.filter(({ state }) => state === "done").slice(0, ANSWERED_MAX);
  if (done.length === 0) return effects;
  const dedupKey = dedupKeyOf(job.type, job.idempotencyKey);
  const names = await Promise.all(done.map(({ name }) => findStoredName(store, dedupKey, name)));
  const fields = names.flatMap((name) => [`e:${name}`, `r:${name}`]);
  const read =
    (await store.client.hmget(store.keys.ledger(dedupKey), ...fields).catch(unlessWrongType)) ?? [];
  const hide = hidden(job, redaction);
  const answers = names.map((name, at) => {
    const [entry, result] = [read[2 * at], read[2 * at + 1]];
    const effect = done[at];
    if (entry == null || effect === undefined) return undefined;
    const found = answerIn(store, { dedupKey, name }, parsed(entry), result);
    const answer = { ...found, result: found.result && hide(found.result) };
    const of = [["job", `${job.id} (${job.type})`] as const, ["key", job.idempotencyKey] as const];
    return { ...answer, text: answerText(answer, effect, of) };
  });
  return effects.map((effect) => {
    const answer = answers[done.indexOf(effect)];
    return answer === undefined ? effect : { ...effect, answer };
  });
}

/** Removes the job's secrets from what an effect has returned: it often returns what the job returns. */
function hidden({ payload, result }: AnsweredJob, redaction: Redaction): (text: string) => string {
  const isAllSecret = [...redaction.payload, ...redaction.result].includes("");
  if (isAllSecret) return () => REDACTED;
  const ofPayload = scrubberOf(payload, redaction.payload);
  const ofResult = scrubberOf(result, redaction.result);
  return (text) => ofResult(ofPayload(text));
}

function parsed(json: string): AnsweredEntry {
  try {
    return Object(JSON.parse(json)) as AnsweredEntry;
  } catch {
    return {};
  }
}

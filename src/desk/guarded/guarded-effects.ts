import { z } from "zod";
import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { decryptEffectText, type StoredEffect } from "../../core/effect/ledger/ledger-texts.ts";
import { effectKeyOf } from "../../core/job/dedup-key.ts";
import { callId, parseCallId } from "../../core/job/job-id.ts";
import { storesOfGuard, sweepPlace } from "../../guard/places.ts";
import { givenCount, givenObject } from "../../platform/errors/given.ts";
import { isoOrNull, nearestTime } from "../../platform/lib/iso-time.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { auditEntrySchema } from "../audit/audit-entry.ts";
import { readAuditLog } from "../audit/audit-log.ts";
import { type AnsweredEntry, answerIn, answerShape, answerText } from "../effect-answers.ts";
import { containsText, defineFilter, option } from "../filter.ts";

export const guardedStates = ["reserved", "done", "in-doubt"] as const;

/** An effect that no job runs, as far as it is known: one that did not happen is not. */
export const guardedEffectSchema = z.object({
  id: z.string().meta({ description: "The id of its call, by which a doubt is resolved." }),
  effect: z.string(),
  effectKey: z.string().meta({ description: "What it may have passed downstream." }),
  idempotencyKey: z.string().nullable().meta({ description: "Null where it cannot be decrypted." }),
  state: z.enum(guardedStates),
  since: z.iso.datetime(),
  by: z.string().nullable(),
  about: z.string().nullable(),
});
export type GuardedEffectView = Readonly<z.output<typeof guardedEffectSchema>>;

/** Which guarded effects. What is absent does not count. */
export const guardedEffectFilter = defineFilter(
  {
    effect: {
      schema: z.string().max(64).optional().meta({ description: "Its name." }),
      option: option("--effect <name>", "only this effect", "an effect's name", "Effect"),
    },
    state: {
      schema: z.enum(guardedStates).optional().meta({ description: "Only those in this state." }),
      option: option(
        "--state <state>",
        `only those in this state: ${guardedStates.join(", ")}`,
        guardedStates.join(", "),
        "State",
      ),
    },
    keyText: {
      schema: z.string().min(1).max(255).optional().meta({ description: "A part of its key." }),
      option: option(
        "--key <text>",
        "only those whose key contains this text",
        "1 to 255 characters",
        "Key contains",
      ),
    },
  },
  () => ({}),
);

export const guardedEffectFilterSchema = z.strictObject({
  ...guardedEffectFilter.query,
  limit: z.coerce.number().int().min(1).max(1_000).default(50).meta({ description: "How many at most." }),
});
type Filter = Readonly<z.output<typeof guardedEffectFilterSchema>>;

export const guardedEffectDetailSchema = guardedEffectSchema.extend({
  deadline: z.iso
    .datetime()
    .nullable()
    .meta({ description: "Of one that is reserved: later it is in doubt." }),
  expiresAt: z.iso
    .datetime()
    .nullable()
    .meta({ description: "When it is forgotten; null while it is reserved or in doubt." }),
  ...answerShape,
  reason: z.string().nullable().meta({ description: "Why nobody can know whether it happened." }),
  acts: z.array(auditEntrySchema).meta({ description: "What people said of it, the latest first." }),
  answer: z
    .string()
    .nullable()
    .meta({ description: "Of one that is done: all of this as one text, to copy." }),
});
export type GuardedEffectDetail = Readonly<z.output<typeof guardedEffectDetailSchema>>;

/** How many one call reads in each place: those that are looked at next, first. */
const SEARCHED_MAX = 5_000;
/** A reply of some 100 KiB. */
const SLICE = 250;

interface Entry extends AnsweredEntry {
  readonly state: (typeof guardedStates)[number];
  readonly at: number;
  readonly deadline?: number;
  readonly reason?: string;
}

/** Lists those that match, the latest first, as far as one call may search. */
export async function listGuardedEffects(stores: QueueStores, filter: Filter): Promise<GuardedEffectView[]> {
  givenCount(givenObject(filter, "/").limit, "/limit");
  const found = await inTime(Promise.all(storesOfGuard(stores).map((store) => listIn(store, filter))));
  return found
    .flat()
    .sort((a, b) => b.since.localeCompare(a.since))
    .slice(0, filter.limit);
}

async function listIn(store: QueueStore, { effect, state, keyText }: Filter): Promise<GuardedEffectView[]> {
  const { client, keys } = store;
  await sweepPlace(store).catch(() => 0);
  const members = await client.zrange(keys.joinedJobs, "0", String(SEARCHED_MAX - 1));
  const wanted = members.map(storedEffect).filter(({ name }) => effect === undefined || name === effect);
  const found: GuardedEffectView[] = [];
  for (let at = 0; at < wanted.length; at += SLICE)
    found.push(...(await Promise.all(wanted.slice(at, at + SLICE).map((one) => readOne(store, one)))).flat());
  return found.filter(
    (one) =>
      (state === undefined || one.state === state) &&
      (keyText === undefined || containsText(one.idempotencyKey ?? "", keyText)),
  );
}

function storedEffect(member: string): StoredEffect {
  const cut = member.indexOf("/");
  return { dedupKey: member.slice(0, cut), name: member.slice(cut + 1) };
}

async function readOne(store: QueueStore, effect: StoredEffect): Promise<GuardedEffectView[]> {
  const { client, keys } = store;
  const [json, call] = await client.hmget(keys.ledger(effect.dedupKey), `e:${effect.name}`, "call");
  return json == null ? [] : [viewOf(store, effect, JSON.parse(json) as Entry, call)];
}

function viewOf(
  store: QueueStore,
  effect: StoredEffect,
  { state, at }: Entry,
  call: string | null | undefined,
): GuardedEffectView {
  const { type: _, ...texts } = callTexts(store, effect, call ?? "");
  const { dedupKey, name } = effect;
  return {
    id: callId(store.queue, dedupKey),
    effect: name,
    effectKey: effectKeyOf(dedupKey, name),
    ...texts,
    state,
    since: nearestTime(at),
  };
}

/** As people see a call that is stored; what cannot be decrypted is null. */
export function callTexts(
  store: QueueStore,
  effect: StoredEffect,
  text: string,
): Record<"idempotencyKey" | "by" | "about", string | null> & { readonly type: null } {
  try {
    const texts: unknown[] = JSON.parse(decryptEffectText(store, effect, "call", text));
    const [idempotencyKey = null, by = null, about = null] = texts.map(textOrNull);
    return { type: null, idempotencyKey, by, about };
  } catch {
    return { type: null, idempotencyKey: null, by: null, about: null };
  }
}

/** Anything may be stored. */
function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

const ACTS_MAX = 20;

/** Reads what is known of one. @returns undefined where nothing is, or no longer */
export async function readGuardedEffect(
  stores: QueueStores,
  id: string,
): Promise<GuardedEffectDetail | undefined> {
  const parsed = parseCallId(id);
  if (parsed === undefined) return undefined;
  const store = stores.of(parsed.place);
  const ledger = store.keys.ledger(parsed.dedupKey);
  const read = async () => {
    await sweepPlace(store).catch(() => 0);
    return await Promise.all([store.client.hgetall(ledger), store.client.pexpiretime(ledger)]);
  };
  const [fields, expiresAt] = await inTime(read());
  const name = Object.keys(fields)
    .find((field) => field.startsWith("e:"))
    ?.slice(2);
  if (name === undefined) return undefined;
  const effect = { dedupKey: parsed.dedupKey, name };
  const entry = JSON.parse(fields[`e:${name}`] ?? "") as Entry;
  const view = viewOf(store, effect, entry, fields.call);
  const known = answerIn(store, effect, entry, fields[`r:${name}`]);
  const of = [["call", id] as const, ["key", view.idempotencyKey] as const];
  return {
    ...view,
    deadline: isoOrNull(entry.state === "reserved" ? entry.deadline : null),
    expiresAt: isoOrNull(expiresAt > 0 ? expiresAt : null),
    ...known,
    reason: reasonOf(store, effect, entry),
    answer: view.state === "done" ? answerText(known, { name, at: view.since }, of) : null,
    acts: await readAuditLog([store], ACTS_MAX, { jobId: id }),
  };
}

function reasonOf(store: QueueStore, effect: StoredEffect, { state, reason }: Entry): string | null {
  if (state !== "in-doubt" || reason === undefined) return null;
  return decryptedOrWhyNot(() => decryptEffectText(store, effect, "reason", reason));
}

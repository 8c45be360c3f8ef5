/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { createGuard, defineEffect } from "holdfast/guard";
import { z } from "zod";

const charge = defineEffect({
  name: "charge",
  timeoutMs: 1_000,
  inDoubt: "hold",
  result: z.object({ id: z.string(), note: z.string().optional() }),
});
const mail = defineEffect({ name: "mail", timeoutMs: 1_000, inDoubt: "hold" });
const booked = defineEffect({ name: "booked", timeoutMs: 1_000, inDoubt: "probe", result: z.number() });
const guard = await createGuard({ effects: [charge, mail, booked] });
const call = { key: "order-1" };

// A call gets what JSON has kept of what the schema makes…
const { id, note } = await guard.once(charge, call, async () => ({ id: "ch_1", more: 1 }));
export const isText: string = id;
export const mayBeMissing: string | undefined = note;
// @ts-expect-error id is missing
await guard.once(charge, call, async () => ({}));
// @ts-expect-error the effect is asynchronous
await guard.once(charge, call, () => ({ id: "ch_1" }));

// …and without a schema nobody knows what another process, or another version, has stored.
const kept = await guard.once(mail, call, async () => new Date());
export const isAnything: unknown = kept;
// @ts-expect-error a date is a text by then, and nothing has checked that
export const isDate: Date = kept;

// A schema may accept one of several, and nothing.
const found = z.object({ id: z.string() });
const maybe = defineEffect({ name: "maybe", timeoutMs: 1_000, inDoubt: "hold", result: found.nullable() });
const either = defineEffect({
  name: "either",
  timeoutMs: 1_000,
  inDoubt: "hold",
  result: z.union([z.string(), found]),
});
export const orNull: { id: string } | null = await guard.once(maybe, call, async () => null);
export const orText: { id: string } | string = await guard.once(either, call, async () => "none");

// A schema whose values JSON cannot hold would fit in no later call.
// @ts-expect-error a date is a text in JSON
defineEffect({ name: "at", timeoutMs: 1_000, inDoubt: "hold", result: z.object({ at: z.date() }) });
const eitherWay = z.union([z.object({ at: z.date() }), z.object({ id: z.string() })]);
// @ts-expect-error a date is in one of them
defineEffect({ name: "either", timeoutMs: 1_000, inDoubt: "hold", result: eitherWay });
// @ts-expect-error JSON has no bigint
defineEffect({ name: "sum", timeoutMs: 1_000, inDoubt: "hold", result: z.bigint() });
// @ts-expect-error JSON has no map
defineEffect({ name: "all", timeoutMs: 1_000, inDoubt: "hold", result: z.map(z.string(), z.string()) });

// An effect that is declared `probe` has a probe.
await guard.once(booked, call, async () => 1, { probe: async () => "unknown" });
// @ts-expect-error it is missing
await guard.once(booked, call, async () => 1);
// @ts-expect-error the probe's answer is the effect's result
await guard.once(booked, call, async () => 1, { probe: async () => ({ done: "one" }) });
// @ts-expect-error an index is part of the key
await guard.once(charge, call, async () => ({ id: "1" }), { index: "a" });

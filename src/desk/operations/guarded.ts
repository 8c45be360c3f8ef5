import { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import {
  guardedEffectDetailSchema,
  guardedEffectFilterSchema,
  guardedEffectSchema,
} from "../guarded/guarded-effects.ts";
import {
  commitSchema,
  committedSchema,
  doneBeforeSchema,
  doubtBodySchema,
  releaseSchema,
  reservedSchema,
  reserveSchema,
} from "../guarded/run-schemas.ts";
import { act, COMPONENT_NAME, read } from "./operation.ts";

const params = { name: "The effect's name: 1 to 64 lower-case letters, digits and dashes." };
const reportErrors = [
  "INVALID_REQUEST",
  "IDEMPOTENCY_KEY_INVALID",
  "RESERVATION_LOST",
  "STORE_UNAVAILABLE",
  "STORE_FULL",
] as const;

export const guardedOperations = {
  guardedEffects: read({
    id: "listGuardedEffects",
    path: "/guarded-effects",
    summary: "List effects that no job runs",
    description:
      "Those of guards, the latest first, as far as one call may search. What did not happen is not known.",
    input: guardedEffectFilterSchema,
    answer: z.object({ effects: z.array(guardedEffectSchema) }).describe("The latest first."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    returns: "effects",
    run: async (operator, { input }) => ({ effects: await operator.guardedEffects(input) }),
  }),
  guardedEffect: read({
    id: "readGuardedEffect",
    path: "/guarded-effects/:id",
    summary: "Read what is known of an effect that no job runs",
    params: { id: "The id of its call." },
    answer: {
      text: "The effect.",
      schema: guardedEffectDetailSchema.meta({ [COMPONENT_NAME]: "GuardedEffectDetail" }),
    },
    errors: ["JOB_NOT_FOUND", "STORE_UNAVAILABLE"],
    async run(operator, { params: { id } }) {
      const effect = await operator.guardedEffect(id);
      if (effect === undefined)
        throw new HoldfastError("JOB_NOT_FOUND", "There is no guarded effect with this id, or no longer");
      return effect;
    },
  }),
  reserveEffect: act({
    id: "reserveEffect",
    method: "POST",
    path: "/effects/:name/reserve",
    summary: "Reserve an effect that another program runs",
    description:
      "201: run it now, within `timeoutMs` from before this request, and report what became of it. 200: it was done before, by whomever; do not run it. Safe to send again with the same `reservationId`.",
    params,
    input: reserveSchema,
    answer: doneBeforeSchema.describe("It was done before. Do not run it."),
    other: { status: 201, text: "It is reserved for this run.", schema: reservedSchema },
    isOther: ({ state }) => state === "reserved",
    errors: [
      "INVALID_REQUEST",
      "IDEMPOTENCY_KEY_INVALID",
      "EFFECT_BUSY",
      "IN_DOUBT",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
      "STORE_UNFIT",
      "STORE_ROLLED_BACK",
    ],
    run: (operator, { params: { name }, input, by }) => operator.runs.reserve(name, input, by),
  }),
  commitEffect: act({
    id: "commitEffect",
    method: "POST",
    path: "/effects/:name/commit",
    summary: "Report that an effect is done",
    description: "Safe to send again. One that comes after its time is refused, and kept with the doubt.",
    params,
    input: commitSchema,
    answer: committedSchema.describe("Recorded: every later call gets the result."),
    errors: [...reportErrors, "IN_DOUBT"],
    run: (operator, { params: { name }, input }) => operator.runs.commit(name, input),
  }),
  releaseEffect: act({
    id: "releaseEffect",
    method: "POST",
    path: "/effects/:name/release",
    summary: "Report that an effect provably did not happen",
    description: "The key is free for the next call. Only with proof: an error by itself proves nothing.",
    params,
    input: releaseSchema,
    answer: z.object({ state: z.literal("released") }).describe("Released."),
    errors: [...reportErrors, "IN_DOUBT"],
    async run(operator, { params: { name }, input }) {
      await operator.runs.release(name, input);
      return { state: "released" } as const;
    },
  }),
  doubtEffect: act({
    id: "doubtEffect",
    method: "POST",
    path: "/effects/:name/doubt",
    summary: "Report that nobody can know whether an effect happened",
    description: "Nothing runs it again before somebody has resolved the doubt. Safe to send again.",
    params,
    input: doubtBodySchema,
    answer: z.object({ state: z.literal("in-doubt") }).describe("In doubt."),
    errors: reportErrors,
    async run(operator, { params: { name }, input }) {
      await operator.runs.doubt(name, input);
      return { state: "in-doubt" } as const;
    },
  }),
};

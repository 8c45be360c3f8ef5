import { z } from "zod";
import { jobNotFound } from "../../core/job/job-id.ts";
import {
  guardedEffectDetailSchema,
  guardedEffectFilterSchema,
  guardedEffectSchema,
} from "../guarded/guarded-effects.ts";
import {
  commitSchema,
  committedSchema,
  doubtBodySchema,
  releaseSchema,
  reservedSchema,
  reserveSchema,
} from "../guarded/run-schemas.ts";
import { act, COMPONENT_NAME, read } from "./operation.ts";

const params = { id: "The id of its call, as the reservation was answered." };
const reportErrors = [
  "INVALID_REQUEST",
  "JOB_NOT_FOUND",
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
      if (effect === undefined) throw jobNotFound();
      return effect;
    },
  }),
  reserveEffect: act({
    id: "reserveEffect",
    method: "POST",
    path: "/guarded-effects/reserve",
    summary: "Reserve an effect that another program runs",
    description:
      "`reserved`: run it now, within `timeoutMs` from before this request, and report what became of it. `done`: it was done before, by whomever; do not run it. Safe to send again with the same `reservationId`.",
    input: reserveSchema,
    answer: reservedSchema.describe("Reserved for this run, or done before."),
    errors: [
      "INVALID_REQUEST",
      "IDEMPOTENCY_KEY_INVALID",
      "EFFECT_BUSY",
      "EFFECT_IN_DOUBT",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
      "STORE_UNFIT",
      "STORE_ROLLED_BACK",
    ],
    run: (operator, { input, by }) => operator.runs.reserve(input, by),
  }),
  commitEffect: act({
    id: "commitEffect",
    method: "POST",
    path: "/guarded-effects/:id/commit",
    summary: "Report that an effect is done",
    description: "Safe to send again. One that comes after its time is refused, and kept with the doubt.",
    params,
    input: commitSchema,
    answer: committedSchema.describe("Recorded: every later call gets the result."),
    errors: [...reportErrors, "EFFECT_IN_DOUBT"],
    run: (operator, { params: { id }, input }) => operator.runs.commit(id, input),
  }),
  releaseEffect: act({
    id: "releaseEffect",
    method: "POST",
    path: "/guarded-effects/:id/release",
    summary: "Report that an effect provably did not happen",
    description: "The key is free for the next call. Only with proof: an error by itself proves nothing.",
    params,
    input: releaseSchema,
    answer: z.object({ state: z.literal("released") }).describe("Released."),
    errors: [...reportErrors, "EFFECT_IN_DOUBT"],
    async run(operator, { params: { id }, input }) {
      await operator.runs.release(id, input);
      return { state: "released" } as const;
    },
  }),
  doubtEffect: act({
    id: "doubtEffect",
    method: "POST",
    path: "/guarded-effects/:id/doubt",
    summary: "Report that nobody can know whether an effect happened",
    description: "Nothing runs it again before somebody has resolved the doubt. Safe to send again.",
    params,
    input: doubtBodySchema,
    answer: z.object({ state: z.literal("in-doubt") }).describe("In doubt."),
    errors: reportErrors,
    async run(operator, { params: { id }, input }) {
      await operator.runs.doubt(id, input);
      return { state: "in-doubt" } as const;
    },
  }),
};

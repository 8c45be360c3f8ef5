import { z } from "zod";
import { jobNotFound } from "../../core/job/job-id.ts";
import {
  guardedEffectDetailSchema,
  guardedEffectFilterSchema,
  guardedEffectSchema,
} from "../guarded/guarded-effects.ts";
import { COMPONENT_NAME, read } from "./operation.ts";

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
};

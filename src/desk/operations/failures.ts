import { z } from "zod";
import { failureGroupsSchema } from "../jobs/failure-groups.ts";
import { read } from "./operation.ts";

export const failureOperations = {
  failures: read({
    id: "groupFailures",
    path: "/failures",
    summary: "Group failed jobs",
    description: "By type, code and message, most frequent first.",
    input: z.strictObject({
      new: z
        .enum(["true", "false"])
        .transform((text) => text === "true")
        .optional()
        .meta({
          description: "true: only what has failed since the newest version of the application came.",
        }),
    }),
    answer: failureGroupsSchema.describe("The groups."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    run: async (operator, { input }) => {
      const found = await operator.failures();
      if (input.new !== true) return found;
      return { ...found, groups: found.groups.filter(({ newSince }) => newSince !== null) };
    },
  }),
};

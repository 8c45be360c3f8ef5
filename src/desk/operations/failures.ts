import { failureGroupsSchema } from "../jobs/failure-groups.ts";
import { operation } from "./operation.ts";

export const failureOperations = {
  failures: operation({
    id: "groupFailures",
    method: "GET",
    path: "/failures",
    scope: "read",
    summary: "Group failed jobs",
    description: "By type, code and message, most frequent first.",
    answer: failureGroupsSchema.describe("The groups."),
    errors: ["STORE_UNAVAILABLE"],
    run: (operator) => operator.failures(),
  }),
};

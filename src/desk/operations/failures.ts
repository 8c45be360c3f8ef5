import { failureGroupsSchema } from "../jobs/failure-groups.ts";
import { read } from "./operation.ts";

export const failureOperations = {
  failures: read({
    id: "groupFailures",
    path: "/failures",
    summary: "Group failed jobs",
    description: "By type, code and message, most frequent first.",
    answer: failureGroupsSchema.describe("The groups."),
    errors: ["STORE_UNAVAILABLE"],
    run: (operator) => operator.failures(),
  }),
};

import { expect, it } from "vitest";
import { z } from "zod";
import { schemaIssues } from "./schema.ts";

it("says in plain words that a member of any kind is missing", () => {
  const { error } = z.strictObject({ payload: z.unknown() }).safeParse({});

  expect(schemaIssues(error?.issues)).toEqual([
    { pointer: "/payload", message: "expected a value, got none" },
  ]);
});

it("does not say what became of a text that is no number", () => {
  const { error } = z.object({ limit: z.coerce.number() }).safeParse({ limit: "ten" });

  expect(schemaIssues(error?.issues)).toEqual([
    { pointer: "/limit", message: "Invalid input: expected number" },
  ]);
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { examplePayload } from "./example-payload.ts";

const exampleOf = (payload: z.ZodType) => examplePayload({ payload });

describe("an example of a payload", () => {
  it("is the schema's own, if it has one that fits", () => {
    const schema = z.object({ name: z.string().min(3) });

    expect(exampleOf(schema.meta({ examples: [{ name: "Ada" }] }))).toEqual({ name: "Ada" });
    expect(exampleOf(schema.meta({ examples: [{ name: "x" }] }))).toEqual({ name: "example" });
  });

  it.each([
    z.strictObject({ seconds: z.int().min(5), failures: z.int().default(2), note: z.string().optional() }),
    z.object({ to: z.array(z.email()).min(2), at: z.iso.datetime(), on: z.iso.date(), id: z.uuid() }),
    z.object({ amount: z.number().positive().max(3), below: z.number().max(-2), yes: z.boolean() }),
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("a"), url: z.url() }),
      z.object({ kind: z.literal("b") }),
    ]),
    z.object({
      plan: z.enum(["free", "paid"]),
      pair: z.tuple([z.string(), z.int()]),
      long: z.string().min(20),
    }),
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.null() })),
    z.record(z.string(), z.int()),
    z.string(),
  ])("is made from what the schema asks for", (schema) => {
    const example = exampleOf(schema);

    expect(example).toBeDefined();
    expect(schema.safeParse(example).success).toBe(true);
  });

  it("is left out if the schema asks for more than JSON Schema says", () => {
    expect(exampleOf(z.object({ code: z.string().refine((text) => text.startsWith("X-")) }))).toBeUndefined();
  });
});

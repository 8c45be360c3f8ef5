import { type } from "arktype";
import { defineConfig, defineJob, HoldfastError } from "holdfast";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";
import { openValidator } from "../../../src/core/submit/validate.ts";
import { submissionBody } from "../../../src/edges/http/body/submission-body.ts";
import { features } from "../../../src/features/index.ts";
import { check, jsonSchemaOf, type Schema } from "../../../src/platform/lib/schema.ts";

const rest = { retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } }, timeoutMs: 1_000 } as const;

const schemas = {
  zod: z.strictObject({ to: z.string().min(1), copies: z.int().default(1) }),
  valibot: v.strictObject({
    to: v.pipe(v.string(), v.minLength(1)),
    copies: v.optional(v.pipe(v.number(), v.integer()), 1),
  }),
  arktype: type({ "+": "reject", to: "string >= 1", copies: "number.integer = 1" }),
} satisfies Record<string, Schema<{ to: string; copies?: number | undefined }>>;

const asynchronous = v.pipeAsync(
  v.string(),
  v.checkAsync(async () => true),
);

function refusalOf(payload: Schema, sent: unknown): HoldfastError {
  const job = defineJob({ type: "report", payload, result: z.unknown(), ...rest });
  const application = defineConfig({ jobs: [job], handlers: async () => [] });
  const input = { type: "report", payload: sent, idempotencyKey: "k" };
  try {
    openValidator(features)(application, input);
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error("nothing was refused");
}

describe.each(Object.entries(schemas))("a schema of %s", (_library, schema) => {
  it("gives what it makes of a value", () => {
    expect(check(schema, { to: "li" })).toMatchObject({ value: { to: "li", copies: 1 } });
  });

  it("refuses a payload with a pointer to each issue", () => {
    const { code, issues } = refusalOf(schema, { to: "", copies: 1.5 });

    expect(code).toBe("INVALID_PAYLOAD");
    expect(issues.map(({ pointer }) => pointer).sort()).toEqual(["/payload/copies", "/payload/to"]);
    for (const { message } of issues) expect(message).not.toBe("");
  });

  it("points at a member that is unknown", () => {
    const { issues } = refusalOf(schema, { to: "li", form: 1 });

    expect(issues.map(({ pointer }) => pointer)).toEqual(["/payload/form"]);
  });

  it("is accepted for a result", () => {
    expect(defineJob({ type: "report", payload: z.unknown(), result: schema, ...rest }).result).toBe(schema);
  });
});

describe("JSON Schema", () => {
  it("comes from Zod, and from any library that gives one", () => {
    for (const schema of [schemas.zod, schemas.arktype])
      expect(jsonSchemaOf(schema, "input")).toMatchObject({ properties: { to: { type: "string" } } });
  });

  it("is missing where a library gives none: then any pointer may name a secret", () => {
    expect(jsonSchemaOf(schemas.valibot, "input")).toBeUndefined();
    const job = { type: "report", payload: schemas.valibot, result: z.unknown(), ...rest };
    expect(defineJob({ ...job, redact: { payload: ["/to"] } }).redact.payload).toEqual(["/to"]);
  });

  it("describes the payload in the reference; without one, any", () => {
    const jobs = Object.entries(schemas).map(([name, payload]) =>
      defineJob({ type: name, payload, result: z.unknown(), ...rest }),
    );
    const { oneOf } = submissionBody(defineConfig({ jobs, handlers: async () => [] }));
    const payloads = (oneOf as { properties: { payload: object } }[]).map(
      ({ properties }) => properties.payload,
    );

    expect(payloads).toMatchObject([{ type: "object" }, {}, { type: "object" }]);
    expect(Object.keys(payloads[1] ?? {})).toEqual([]);
  });
});

describe("what is no synchronous Standard Schema", () => {
  it.each([[{}], [null], ["string"], [() => true], [{ "~standard": {} }]])("is refused: %j", (payload) => {
    expect(() =>
      defineJob({ type: "report", payload: payload as unknown as Schema, result: z.unknown(), ...rest }),
    ).toThrow('job "report": payload: expected a schema of Zod, or any Standard Schema');
  });

  it("is refused at its definition, where that shows", () => {
    const ofZod = z.any().refine(async () => true);
    const ofZod3 = z3.any().refine(async () => true);
    for (const payload of [asynchronous, ofZod, ofZod3] as readonly Schema[])
      expect(() => defineJob({ type: "report", payload, result: z.unknown(), ...rest })).toThrow(
        /job "report": payload: expected a schema that checks at once, got an asynchronous one/,
      );
    const old = { _def: { typeName: "ZodString" }, safeParse: () => ({}) };
    expect(() =>
      defineJob({ type: "report", payload: old as unknown as Schema, result: z.unknown(), ...rest }),
    ).toThrow("payload: expected a schema of Zod 3.24 or newer, got one of an older Zod");
  });

  it("is not a schema that throws for a value that nobody can send", () => {
    const hasId = (value: { readonly id: string }) => value.id.length > 0;
    const throwing: Record<string, Schema> = {
      "Zod 4": z.any().refine(hasId),
      "Zod 3": z3.any().refine(hasId),
    };
    for (const [version, result] of Object.entries(throwing)) {
      const job = defineJob({ type: "report", payload: z.unknown(), result, ...rest });
      expect(() => check(job.result, undefined), version).toThrow("The contract's schema threw: Cannot read");
      expect(check(job.result, { id: "a" }), version).toEqual({ value: { id: "a" } });
    }
  });

  it("is the contract's fault where it throws or takes time for a payload that fits, whatever it throws", () => {
    const throwing = z.string().transform(() => {
      throw new HoldfastError("STORE_UNAVAILABLE", "no rates today");
    });
    expect(refusalOf(throwing as unknown as Schema, "x")).toMatchObject({
      code: "SCHEMA_FAILED",
      retryable: false,
      message: "The contract's schema threw: no rates today",
    });
    const late = z.string().refine(async () => true);
    expect(refusalOf(late as unknown as Schema, "x")).toMatchObject({
      code: "SCHEMA_FAILED",
      retryable: false,
    });
  });

  it("is refused when it checks, if that takes time", () => {
    expect(() => check(asynchronous, "x")).toThrow(/checks at once, got an asynchronous one \(valibot\)/);
  });
});

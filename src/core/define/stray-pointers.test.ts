import { describe, expect, it } from "vitest";
import { z } from "zod";
import { strayPointers } from "./stray-pointers.ts";

describe("a pointer", () => {
  const schema = z.strictObject({
    token: z.string().optional(),
    user: z.union([z.strictObject({ password: z.string() }), z.null()]),
    list: z.array(z.strictObject({ pin: z.int() })),
    byName: z.record(z.string(), z.strictObject({ key: z.string() })),
    pair: z.tuple([z.string(), z.strictObject({ b: z.string() })]),
    anything: z.unknown(),
    get child() {
      return schema.optional();
    },
  });

  it.each([
    "",
    "/token",
    "/user/password",
    "/list/*/pin",
    "/list/0/pin",
    "/byName/*/key",
    "/byName/ada/key",
    "/pair/1/b",
    "/anything",
    "/child/child/token",
  ])("such as %j leads somewhere", (pointer) => {
    expect(strayPointers(schema, "input", [pointer])).toEqual([]);
  });

  it.each(["token", "/tokn", "/user/pasword", "/list/pin", "/token/x", "/anything/x", "/child/tokn", "/"])(
    "such as %j leads nowhere",
    (pointer) => {
      expect(strayPointers(schema, "input", [pointer])).toEqual([pointer]);
    },
  );
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { applicationVariables, readEnv } from "./application-env.ts";

const schema = z.object({
  SHOP_URL: z.url(),
  SHOP_TOKEN: z.string().min(8).optional(),
  SHOP_PLAN: z.enum(["free", "paid"]).default("free"),
  SHOP_PAGE: z.coerce.number().int().min(1).max(100).default(20),
  SHOP_CODE: z.string().regex(/^A/).optional().meta({ expected: "an A and more", description: "A code." }),
});

function refusalOf(env: Record<string, string>): HoldfastError {
  try {
    readEnv(schema, env);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
  }
  throw new Error("not refused");
}

describe("an application's variables", () => {
  it("are read with their types and defaults, and nothing else", () => {
    expect(readEnv(schema, { SHOP_URL: "https://shop.example", SHOP_PAGE: "7", SHOP_TOKEN: "" })).toEqual({
      SHOP_URL: "https://shop.example",
      SHOP_PLAN: "free",
      SHOP_PAGE: 7,
    });
  });

  it("are refused with one line each: the name, what was expected, what was found", () => {
    const wrong = { SHOP_PLAN: "gold", SHOP_PAGE: "0", SHOP_CODE: "B" };

    const { code, message } = refusalOf(wrong);

    expect(code).toBe("CONFIG_INVALID");
    expect(message.split("\n")).toEqual([
      "SHOP_URL: expected a URL, got nothing",
      'SHOP_PLAN: expected one of free, paid, got "gold"',
      'SHOP_PAGE: expected a whole number from 1 to 100, got "0"',
      'SHOP_CODE: expected an A and more, got "B"',
    ]);
  });

  it.each([
    { SHOP_URL: "https://shop.example", SHOP_TOKEN: "hunter2" },
    { SHOP_URL: "shop://user:hunter2@x y" },
  ])("do not show a secret", (env) => {
    const { message } = refusalOf(env);

    expect(message).toContain("got (hidden)");
    expect(message).not.toContain("hunter2");
  });

  it("are described by their schema", () => {
    expect(applicationVariables(schema)).toContainEqual({
      name: "SHOP_CODE",
      expected: "an A and more",
      meaning: "A code.",
      fallback: "",
      isSecret: false,
    });
  });
});

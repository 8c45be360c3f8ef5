import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "./parse-json.ts";
import { parseLargeJson } from "./parse-large-json.ts";

const list = { name: "jobs", max: 1_000 };
const read = (text: string, partMax = 1_000_000) => parseLargeJson(text, { partsAt: 2, list, partMax });

describe("a large JSON text", () => {
  it("is read as a small one is, with the same issues", async () => {
    const part = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc.constantFrom(
        '{"a":1,"\\u0061":2}',
        "1e999",
        '"],[,{"',
        '"\\\\"',
        '{"__proto__":1}',
        "[[],[]]",
        "{}",
      ),
    );
    const body = fc.tuple(fc.array(part), fc.array(part), fc.constantFrom("", " ", "\n"));
    await fc.assert(
      fc.asyncProperty(body, async ([jobs, others, space]) => {
        const text = `{"x":[${others.join(",")}],${space}"jobs"${space}:${space}[${space}${jobs.join(`${space},${space}`)}${space}],"y":{"jobs":[1,2]}}`;
        const { value, issues } = await read(text);
        expect({ value, issues }).toStrictEqual(parseJson(text, 2));
      }),
    );
  });

  it.each([
    "",
    "{",
    '{"jobs":[',
    '{"jobs":[1,]}',
    '{"jobs":[,1]}',
    '{"jobs":[1 2]}',
    '{"jobs":[1]]}',
    '{"jobs":[{"a":]}',
    '{"jobs":["',
    '{"jobs":[01]}',
    '{"jobs":[]',
    '{"jobs":[1],}',
  ])("that is no JSON is refused as such: %s", async (text) => {
    await expect(read(text)).rejects.toThrow(SyntaxError);
  });

  it("leaves out values of the list that are too long, and refuses a rest that is", async () => {
    const long = JSON.stringify("x".repeat(100));

    expect(await read(`{"jobs":[1,${long},3]}`, 50)).toMatchObject({
      value: { jobs: [1, null, 3] },
      tooLong: [1],
      isTooLong: false,
    });
    expect(await read(`{"jobs":[1],"x":${long}}`, 50)).toMatchObject({ isTooLong: true });
  });

  it("is refused without being parsed where its list has too many values", async () => {
    await expect(read(`{"jobs":[${"0,".repeat(1_000)}0]}`)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      issues: [{ pointer: "/jobs", message: "expected at most 1000 items" }],
    });
  });
});

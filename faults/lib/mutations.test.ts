import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as mutations from "./mutations.ts";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const edits = Object.values(mutations).flatMap(({ name, edits }) =>
  edits.map(([file, from]) => ({ name, file, from })),
);

describe("the mutations of the fault laboratory", () => {
  it.each(edits)("$name fits $file", ({ file, from }) => {
    expect(readFileSync(`${dist}/${file}`, "utf8").split(from)).toHaveLength(2);
  });
});

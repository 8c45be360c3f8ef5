import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { edited } from "./installation.ts";
import * as mutations from "./mutations.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const edits = Object.values(mutations).flatMap(({ name, edits }) =>
  edits.map((edit) => ({ name, file: edit[0], edit })),
);

describe("the mutations of the fault laboratory", () => {
  it.each(edits)("$name fits $file", ({ edit }) => {
    expect(edited(root, edit)).not.toEqual([]);
  });
});

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { mutate } from "./installation.ts";
import * as mutations from "./mutations.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("the mutations of the fault laboratory", () => {
  it.each(Object.values(mutations))("$name fits, one edit after the other", ({ edits }) => {
    expect(mutate(root, edits).size).toBeGreaterThan(0);
  });
});

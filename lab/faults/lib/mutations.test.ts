import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { edit } from "./installation.ts";
import * as mutations from "./mutations.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("the mutations of the fault laboratory", () => {
  it.each(Object.values(mutations))("$name fits, one edit after the other", ({ edits }) => {
    const changed = new Map<string, string>();
    for (const each of edits) edit(root, each, changed);
    expect(changed.size).toBeGreaterThan(0);
  });
});

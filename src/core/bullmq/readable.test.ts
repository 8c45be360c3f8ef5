import { describe, expect, it } from "vitest";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { decryptedOrWhyNot } from "./readable.ts";

const failing = (error: Error) => () => {
  throw error;
};

describe("a text among many", () => {
  it("says in its place why it cannot be decrypted, and does not hide any other fault", () => {
    const failed = new HoldfastError("DECRYPTION_FAILED", "Cannot be decrypted: no such key");

    expect(decryptedOrWhyNot(failing(failed))).toBe("[Cannot be decrypted: no such key]");
    expect(() => decryptedOrWhyNot(failing(new TypeError("another")))).toThrow("another");
  });
});

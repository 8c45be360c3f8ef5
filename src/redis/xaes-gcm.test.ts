import { createSecretKey, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { NONCE_BYTES, xaesGcm } from "./xaes-gcm.ts";

const keyOf = (byte: number) => xaesGcm(createSecretKey(Buffer.alloc(32, byte)));
const nonce = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWX");
const text = Buffer.from("XAES-256-GCM");

describe("XAES-256-GCM", () => {
  // Of the two keys one needs the reduction when CMAC's mask is doubled, the other does not.
  it.each([
    [1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
    [3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
  ])("encrypts as the specification's vector for the key of 0%i has it", (byte, context, expected) => {
    expect(keyOf(byte).encrypt(nonce, text, Buffer.from(context)).toString("hex")).toBe(expected);
  });

  it("decrypts nothing but what was encrypted with this key, nonce and context", () => {
    const context = Buffer.from("context");
    const encrypted = keyOf(1).encrypt(nonce, text, context);
    const changed = Buffer.from(encrypted);
    changed[0] = 255 - (changed[0] ?? 0);

    expect(keyOf(1).decrypt(nonce, encrypted, context)).toEqual(text);
    expect(() => keyOf(1).decrypt(nonce, changed, context)).toThrow();
    expect(() => keyOf(1).decrypt(nonce, encrypted.subarray(1), context)).toThrow();
    expect(() => keyOf(1).decrypt(nonce, encrypted.subarray(0, 5), context)).toThrow();
    expect(() => keyOf(1).decrypt(nonce, encrypted, Buffer.from("other"))).toThrow();
    expect(() => keyOf(1).decrypt(randomBytes(NONCE_BYTES), encrypted, context)).toThrow();
    expect(() => keyOf(2).decrypt(nonce, encrypted, context)).toThrow();
  });
});

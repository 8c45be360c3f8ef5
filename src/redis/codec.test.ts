import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCodec, keyIdOf } from "./codec.ts";

const newKey = (id: string) => ({ id, key: createSecretKey(randomBytes(32)) });
const [old, current] = [newKey("2025"), newKey("2026")];
const codec = createCodec([current, old]);
const before = createCodec([old]);
const plain = createCodec([]);
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });

describe("a sealed text", () => {
  it("opens to what was sealed, whatever it was, and shows none of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, place) => {
        const encrypted = codec.encrypt(text, place);

        expect(codec.open(encrypted, place)).toBe(text);
        expect(encrypted).toMatch(/^hf1\.2026\.[\w-]+$/);
      }),
    );
  });

  it("is another one each time, so that nobody sees which texts are equal", () => {
    expect(codec.encrypt("text", "place")).not.toBe(codec.encrypt("text", "place"));
  });

  it("opens at no other place", () => {
    expect(() => codec.open(codec.encrypt("text", "job a"), "job b")).toThrow(failed);
  });

  it("does not open once a single character of it is changed", () => {
    const encrypted = codec.encrypt("text", "place");
    const start = "hf1.2026.".length;
    for (let at = start; at < encrypted.length; at += 1) {
      const changed = encrypted.slice(0, at) + (encrypted[at] === "A" ? "Q" : "A") + encrypted.slice(at + 1);
      // Of the last character the lowest bits can stand for nothing.
      if (
        Buffer.from(changed.slice(start), "base64url").equals(
          Buffer.from(encrypted.slice(start), "base64url"),
        )
      )
        continue;
      expect(() => codec.open(changed, "place")).toThrow(failed);
    }
  });

  it("opens with the key that it names, wherever that stands, and not without it", () => {
    const encrypted = before.encrypt("text", "place");

    expect(codec.open(encrypted, "place")).toBe("text");
    expect(() => createCodec([current]).open(encrypted, "place")).toThrow(
      'Cannot be decrypted: sealed with key "2025", which HOLDFAST_ENCRYPTION_KEYS does not hold',
    );
    expect(() => plain.open(encrypted, "place")).toThrow(failed);
    expect(() => createCodec([newKey("2025")]).open(encrypted, "place")).toThrow(failed);
  });
});

describe("a value", () => {
  it.each([[{ a: [1, null] }], ["text"], [0], [null], [true]])("such as %j opens to what it was", (value) => {
    const encrypted = codec.encryptValue(value, "place");

    expect(keyIdOf(String(encrypted))).toBe("2026");
    expect(codec.decryptValue(encrypted, "place")).toEqual(value);
  });

  it("that there is none of stays that", () => {
    expect(codec.encryptValue(undefined, "place")).toBeUndefined();
  });
});

describe("what was stored before there were keys", () => {
  it("opens as it is", () => {
    expect(codec.open("text", "place")).toBe("text");
    expect(codec.open("hf1.", "place")).toBe("hf1.");
    expect(codec.decryptValue({ key: "k", payload: 1 }, "place")).toEqual({ key: "k", payload: 1 });
  });

  it("stays as it is where there are none", () => {
    const value = { a: 1 };

    expect(plain.encrypt("text", "place")).toBe("text");
    expect(plain.encryptValue(value, "place")).toBe(value);
    expect(plain.formsOf("name", "place")).toEqual(["name"]);
  });
});

describe("a name", () => {
  it("is sealed to the same text each time, and to another one at another place", () => {
    const [form] = codec.formsOf("maria@example.com", "place");

    expect(codec.formsOf("maria@example.com", "place")[0]).toBe(form);
    expect(codec.formsOf("maria@example.com", "elsewhere")[0]).not.toBe(form);
    expect(codec.formsOf("anoop@example.com", "place")[0]).not.toBe(form);
    expect(codec.open(form, "place")).toBe("maria@example.com");
  });

  it("is known in every form that it can have been stored in, the newest first", () => {
    const [newest] = createCodec([current]).formsOf("name", "place");
    const [older] = before.formsOf("name", "place");

    expect(codec.formsOf("name", "place")).toEqual([newest, older, "name"]);
  });
});

describe("a text that would be written in another way now", () => {
  it("is known by its key", () => {
    expect(codec.isCurrent(codec.encrypt("text", "place"))).toBe(true);
    expect(codec.isCurrent(before.encrypt("text", "place"))).toBe(false);
    expect(codec.isCurrent("text")).toBe(false);
    expect(plain.isCurrent("text")).toBe(true);
  });
});

import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCipher } from "./cipher.ts";
import { createCodec, keyIdOf } from "./codec.ts";

const newKey = (id: string) => createCipher({ id, key: createSecretKey(randomBytes(32)) });
const [old, current] = [newKey("2025"), newKey("2026")];
const codec = createCodec([current, old]);
const before = createCodec([old]);
const plain = createCodec([]);
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });

describe("an encrypted text", () => {
  it("decrypts to what it was, whatever that was, and shows none of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, here) => {
        const encrypted = codec.encrypt(text, here);

        expect(codec.decrypt(encrypted, here)).toBe(text);
        expect(encrypted).toMatch(/^hf1\.2026\.[\w-]+$/);
      }),
    );
  });

  it("is different each time, so that nobody sees which texts are equal", () => {
    expect(codec.encrypt("text", "here")).not.toBe(codec.encrypt("text", "here"));
  });

  it("does not decrypt with other associated data", () => {
    expect(() => codec.decrypt(codec.encrypt("text", "job a"), "job b")).toThrow(failed);
  });

  it("does not decrypt once a single character is changed", () => {
    const encrypted = codec.encrypt("text", "here");
    const start = "hf1.2026.".length;
    for (let at = start; at < encrypted.length; at += 1) {
      const changed = encrypted.slice(0, at) + (encrypted[at] === "A" ? "Q" : "A") + encrypted.slice(at + 1);
      // The lowest bits of the last character can mean nothing.
      if (
        Buffer.from(changed.slice(start), "base64url").equals(
          Buffer.from(encrypted.slice(start), "base64url"),
        )
      )
        continue;
      expect(() => codec.decrypt(changed, "here")).toThrow(failed);
    }
  });

  it("decrypts with the key that it names, at any position, and not without it", () => {
    const encrypted = before.encrypt("text", "here");

    expect(codec.decrypt(encrypted, "here")).toBe("text");
    expect(() => createCodec([current]).decrypt(encrypted, "here")).toThrow(
      'Cannot be decrypted: encrypted with key "2025", which HOLDFAST_ENCRYPTION_KEYS does not hold',
    );
    expect(() => plain.decrypt(encrypted, "here")).toThrow(failed);
    expect(() => createCodec([newKey("2025")]).decrypt(encrypted, "here")).toThrow(failed);
  });
});

describe("a value", () => {
  it.each([[{ a: [1, null] }], ["text"], [0], [null], [true]])(
    "such as %j decrypts to what it was",
    (value) => {
      const encrypted = codec.encryptValue(value, "here");

      expect(keyIdOf(String(encrypted))).toBe("2026");
      expect(codec.decryptValue(encrypted, "here")).toEqual(value);
    },
  );

  it("that is undefined stays so", () => {
    expect(codec.encryptValue(undefined, "here")).toBeUndefined();
  });
});

describe("a text from before there were keys", () => {
  it("decrypts to itself", () => {
    expect(codec.decrypt("text", "here")).toBe("text");
    expect(codec.decrypt("hf1.", "here")).toBe("hf1.");
    expect(codec.decryptValue({ key: "k", payload: 1 }, "here")).toEqual({ key: "k", payload: 1 });
  });

  it("stays as it is without keys", () => {
    const value = { a: 1 };

    expect(plain.encrypt("text", "here")).toBe("text");
    expect(plain.encryptValue(value, "here")).toBe(value);
    expect(plain.formsOf("name", "here")).toEqual(["name"]);
  });
});

describe("a text or value that reads like an encrypted one", () => {
  it("is stored marked without keys, and reads as it was, with keys and without", () => {
    const like = codec.encrypt("somebody else's", "there");
    for (const text of [like, `hf0.${like}`, `hf0.hf0.${like}`, "hf0.", "hf0.text", "hf1.k.short"]) {
      for (const reader of [plain, codec]) {
        expect(reader.decrypt(plain.encrypt(text, "here"), "here")).toBe(text);
        expect(reader.decryptValue(plain.encryptValue(text, "here"), "here")).toBe(text);
      }
      expect(codec.decrypt(codec.encrypt(text, "here"), "here")).toBe(text);
      expect(codec.decryptValue(codec.encryptValue(text, "here"), "here")).toBe(text);
    }
  });
});

describe("a name", () => {
  it("is encrypted to the same text each time, and to another with other associated data", () => {
    const [form] = codec.formsOf("maria@example.com", "here");

    expect(codec.formsOf("maria@example.com", "here")[0]).toBe(form);
    expect(codec.formsOf("maria@example.com", "there")[0]).not.toBe(form);
    expect(codec.formsOf("anoop@example.com", "here")[0]).not.toBe(form);
    expect(codec.decrypt(form, "here")).toBe("maria@example.com");
  });

  it("has every form that it can be stored in, the newest first", () => {
    const [newest] = createCodec([current]).formsOf("name", "here");
    const [older] = before.formsOf("name", "here");

    expect(codec.formsOf("name", "here")).toEqual([newest, older, "name"]);
  });
});

describe("a text that would get another form now", () => {
  it("is recognised by its key", () => {
    expect(codec.isCurrent(codec.encrypt("text", "here"))).toBe(true);
    expect(codec.isCurrent(before.encrypt("text", "here"))).toBe(false);
    expect(codec.isCurrent("text")).toBe(false);
    expect(plain.isCurrent("text")).toBe(true);
  });

  it("is not encrypted by a first step that only decrypts, and is found in either form", () => {
    const first = createCodec([current], { encrypts: false });
    const [encrypted] = createCodec([current]).formsOf("name", "here");

    expect(first.encrypt("text", "here")).toBe("text");
    expect(first.decrypt(codec.encrypt("text", "here"), "here")).toBe("text");
    expect(first.formsOf("name", "here")).toEqual(["name", encrypted]);
    expect([first.isCurrent("text"), first.isCurrent(codec.encrypt("text", "here"))]).toEqual([true, false]);
  });
});

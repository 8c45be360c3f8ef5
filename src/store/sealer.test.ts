import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSealer, keyIdOf, openedOrWhyNot } from "./sealer.ts";

const newKey = (id: string) => ({ id, key: createSecretKey(randomBytes(32)) });
const [old, current] = [newKey("2025"), newKey("2026")];
const sealer = createSealer([current, old]);
const before = createSealer([old]);
const plain = createSealer([]);
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });

describe("a sealed text", () => {
  it("opens to what was sealed, whatever it was, and shows none of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, place) => {
        const sealed = sealer.seal(text, place);

        expect(sealer.open(sealed, place)).toBe(text);
        expect(sealed).toMatch(/^hf1\.2026\.[\w-]+$/);
      }),
    );
  });

  it("is another one each time, so that nobody sees which texts are equal", () => {
    expect(sealer.seal("text", "place")).not.toBe(sealer.seal("text", "place"));
  });

  it("opens at no other place", () => {
    expect(() => sealer.open(sealer.seal("text", "job a"), "job b")).toThrow(failed);
  });

  it("does not open once a single character of it is changed", () => {
    const sealed = sealer.seal("text", "place");
    const start = "hf1.2026.".length;
    for (let at = start; at < sealed.length; at += 1) {
      const changed = sealed.slice(0, at) + (sealed[at] === "A" ? "Q" : "A") + sealed.slice(at + 1);
      // Of the last character the lowest bits can stand for nothing.
      if (
        Buffer.from(changed.slice(start), "base64url").equals(Buffer.from(sealed.slice(start), "base64url"))
      )
        continue;
      expect(() => sealer.open(changed, "place")).toThrow(failed);
    }
  });

  it("opens with the key that it names, wherever that stands, and not without it", () => {
    const sealed = before.seal("text", "place");

    expect(sealer.open(sealed, "place")).toBe("text");
    expect(() => createSealer([current]).open(sealed, "place")).toThrow(
      'Cannot be decrypted: sealed with key "2025", which HOLDFAST_ENCRYPTION_KEYS does not hold',
    );
    expect(() => plain.open(sealed, "place")).toThrow(failed);
    expect(() => createSealer([newKey("2025")]).open(sealed, "place")).toThrow(failed);
  });
});

describe("a value", () => {
  it.each([[{ a: [1, null] }], ["text"], [0], [null], [true]])("such as %j opens to what it was", (value) => {
    const sealed = sealer.sealValue(value, "place");

    expect(keyIdOf(String(sealed))).toBe("2026");
    expect(sealer.openValue(sealed, "place")).toEqual(value);
  });

  it("that there is none of stays that", () => {
    expect(sealer.sealValue(undefined, "place")).toBeUndefined();
  });
});

describe("what was stored before there were keys", () => {
  it("opens as it is", () => {
    expect(sealer.open("text", "place")).toBe("text");
    expect(sealer.open("hf1.", "place")).toBe("hf1.");
    expect(sealer.openValue({ key: "k", payload: 1 }, "place")).toEqual({ key: "k", payload: 1 });
  });

  it("stays as it is where there are none", () => {
    const value = { a: 1 };

    expect(plain.seal("text", "place")).toBe("text");
    expect(plain.sealValue(value, "place")).toBe(value);
    expect(plain.formsOf("name", "place")).toEqual(["name"]);
  });
});

describe("a name", () => {
  it("is sealed to the same text each time, and to another one at another place", () => {
    const [form] = sealer.formsOf("maria@example.com", "place");

    expect(sealer.formsOf("maria@example.com", "place")[0]).toBe(form);
    expect(sealer.formsOf("maria@example.com", "elsewhere")[0]).not.toBe(form);
    expect(sealer.formsOf("anoop@example.com", "place")[0]).not.toBe(form);
    expect(sealer.open(form, "place")).toBe("maria@example.com");
  });

  it("is known in every form that it can have been stored in, the newest first", () => {
    const [newest] = createSealer([current]).formsOf("name", "place");
    const [older] = before.formsOf("name", "place");

    expect(sealer.formsOf("name", "place")).toEqual([newest, older, "name"]);
  });
});

describe("a text that would be written in another way now", () => {
  it("is known by its key", () => {
    expect(sealer.isCurrent(sealer.seal("text", "place"))).toBe(true);
    expect(sealer.isCurrent(before.seal("text", "place"))).toBe(false);
    expect(sealer.isCurrent("text")).toBe(false);
    expect(plain.isCurrent("text")).toBe(true);
  });
});

describe("whoever looks at many texts", () => {
  it("is told in place of one why it cannot be read, and sees any other fault", () => {
    expect(openedOrWhyNot(() => plain.open(sealer.seal("text", "place"), "place"))).toMatch(
      /^\[Cannot be decrypted: /,
    );
    expect(() =>
      openedOrWhyNot(() => {
        throw new TypeError("another");
      }),
    ).toThrow("another");
  });
});

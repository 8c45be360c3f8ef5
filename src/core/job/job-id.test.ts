import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyHolder, newJobId, parseJobId, queueOfHolder } from "./job-id.ts";

const fingerprint = "0123456789ab";
const id = "default_019ab3c2-7c1e-7d3a-9a54-0123456789ab";

const queues = fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/);
const fingerprints = fc.stringMatching(/^[0-9a-f]{12}$/);

describe("a job's id", () => {
  it("contains its queue and fingerprint", () => {
    fc.assert(
      fc.property(queues, fingerprints, (queue, fingerprint) => {
        expect(parseJobId(newJobId(queue, fingerprint))).toEqual({ queue, fingerprint });
      }),
    );
  });

  it("contains a UUIDv7 of the time at which it was made", () => {
    const before = Date.now();
    const [, uuid = ""] = newJobId("default", fingerprint).split("_");

    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const madeAt = Number.parseInt(uuid.replace("-", "").slice(0, 12), 16);
    expect(madeAt).toBeGreaterThanOrEqual(before);
    expect(madeAt).toBeLessThanOrEqual(Date.now());
  });

  it("is never made twice, even for the same content in the same millisecond", () => {
    const ids = Array.from({ length: 500 }, () => newJobId("default", fingerprint));

    expect(new Set(ids).size).toBe(500);
  });
});

describe("what a deduplication key holds", () => {
  const other = "default_019ab3c2-7c1f-7d3a-9a54-ba9876543210";

  it("is a job's id", () => {
    expect(keyHolder(id)).toEqual({ submission: id, job: id });
    expect(queueOfHolder(id)).toBe("default");
  });

  it("is the id that a submission got, and the job that does what it asks for", () => {
    expect(keyHolder(`${id} ${other}`)).toEqual({ submission: id, job: other });
    expect(queueOfHolder(`${id} ${other}`)).toBe("default");
  });

  it("is in no queue where it is anything else", () => {
    expect(queueOfHolder("")).toBeUndefined();
    expect(queueOfHolder(`nothing ${id}`)).toBeUndefined();
  });
});

describe("a text that Holdfast did not make", () => {
  it.each([
    "",
    "active",
    "meta",
    "wait",
    "de:x",
    "1",
    "a:b:c",
    "__proto__",
    "constructor",
    "*",
    "../../etc/passwd",
    fingerprint,
    ` ${id}`,
    `${id} `,
    `${id}\n`,
    `${id}:lock`,
    `${id}:logs`,
    `${id}0`,
    id.toUpperCase(),
    id.replace("default", "Default"),
    id.replace("default", "de:fault"),
    id.replace("default", "{default}"),
    id.replace("default", ""),
    id.replace("default", "q".repeat(65)),
    id.replace("-7d3a", "-4d3a"),
    id.replace("-9a54", "-ca54"),
    id.replace("default_", "default-"),
    "x".repeat(10_240),
    `${"a".repeat(10_000)}_${id.split("_")[1]}`,
  ])("is no id: %j", (text) => {
    expect(parseJobId(text)).toBeUndefined();
  });

  it("is no id, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(parseJobId(text)).toBeUndefined();
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import {
  doubtUntil,
  EXPORT_MARGIN_MS,
  planImport,
  readExport,
  wallTime,
  wouldBeNamed,
} from "./provider-export.ts";

const NOW = Date.parse("2026-11-28T03:00:00Z");
const doubtAt = (beforeNowMs: number, effectKey: string | null = `key-${beforeNowMs}`) => ({
  effectKey,
  since: new Date(NOW - beforeNowMs).toISOString(),
});

describe("an export", () => {
  it.each([
    [EXPORT_MARGIN_MS + 1, 0, true],
    [EXPORT_MARGIN_MS, 0, false],
    [-1_000, 0, false],
    [0, 3_600_000, false],
    [EXPORT_MARGIN_MS + 1, 3_600_000, true],
    [EXPORT_MARGIN_MS + 1, -1, false],
  ])(
    "that is complete until %2$d ms from now would name what was in doubt %1$d ms ago: %3$s",
    (ago, until, isNamed) => {
      expect(wouldBeNamed(doubtAt(ago), NOW + until, NOW)).toBe(isNamed);
    },
  );

  it("proposes as done what it names, whenever that began, and leaves what it may not name yet", () => {
    const [old, named, late, unknown] = [
      doubtAt(2 * EXPORT_MARGIN_MS),
      doubtAt(1),
      doubtAt(2),
      doubtAt(2 * EXPORT_MARGIN_MS, null),
    ];
    const doubts = [old, named, late, unknown];
    const values = new Set(["key-1"]);

    expect(planImport(doubts, values, { completeUntil: NOW, now: NOW })).toEqual({
      done: [named],
      notDone: [old],
      left: 2,
    });
    expect(planImport(doubts, values, undefined)).toEqual({ done: [named], notDone: [], left: 3 });
  });
});

describe("a clock's time in a zone", () => {
  it.each([
    ["2026-12-01T12:00", "UTC", "2026-12-01T12:00:00.000Z"],
    ["2026-12-01T12:00", "Europe/Berlin", "2026-12-01T11:00:00.000Z"],
    ["2026-07-01T12:00:30", "Europe/Berlin", "2026-07-01T10:00:30.000Z"],
    ["2026-12-01", "America/New_York", "2026-12-01T05:00:00.000Z"],
    ["2026-12-01T12:00", "Asia/Kathmandu", "2026-12-01T06:15:00.000Z"],
    // Shown twice, as clocks are set back: the first counts.
    ["2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00.000Z"],
    // Never shown, as they are set forward.
    ["2026-03-29T02:30", "Europe/Berlin", "2026-03-29T00:30:00.000Z"],
  ])("%s in %s", (text, zone, instant) => {
    expect(new Date(wallTime(text, zone) ?? 0).toISOString()).toBe(instant);
  });

  it("is none for a zone that nobody knows, and for an instant with its own", () => {
    expect(wallTime("2026-12-01T12:00", "Europe/Berlln")).toBeUndefined();
    expect(wallTime("2026-12-01T12:00Z", "UTC")).toBeUndefined();
  });
});

describe("until when an export is complete", () => {
  const csv = (created: string, heading = "created") =>
    `id,${heading}\nch_1,2026-11-28 00:10:00\nch_2,${created}\n`;
  const doubtOf = (text: string, zone: string | undefined, until: string) => {
    const read = readExport(text);
    if ("fault" in read) throw new Error(read.fault);
    return doubtUntil(read.instants, zone, { completeUntil: Date.parse(until), now: NOW });
  };

  it("is asked about where the export ends an hour before: a zone may be wrong", () => {
    const text = '{"id":"ch_1","created":"2026-11-28T01:58:00Z","expires":"2027-01-01T00:00:00Z"}';
    expect(doubtOf(text, undefined, "2026-11-28T03:00:00Z")).toEqual({
      kind: "ends-before",
      latest: Date.parse("2026-11-28T01:58:00Z"),
      byMs: 62 * 60_000,
    });
    expect(doubtOf(text, undefined, "2026-11-28T02:00:00Z")).toBeUndefined();
    // Nobody has an export of tomorrow.
    expect(doubtOf(text, undefined, "2026-11-29T02:00:00Z")).toMatchObject({ byMs: 62 * 60_000 });
  });

  it("needs the zone of instants that name none", () => {
    const text = csv("2026-11-28 02:55:00");
    expect(doubtOf(text, undefined, "2026-11-28T02:00:00Z")).toMatchObject({ kind: "no-zone" });
    expect(doubtOf(text, "Europe/Berlin", "2026-11-28T02:00:00Z")).toBeUndefined();
    expect(doubtOf(text, "Europe/Berlin", "2026-11-28T03:00:00Z")).toMatchObject({ kind: "ends-before" });
    expect(
      doubtOf(csv("2026-11-28 02:55:00", "Created (UTC)"), undefined, "2026-11-28T03:00:00Z"),
    ).toBeUndefined();
  });

  it("is nobody's question where the export has no instants", () => {
    expect(doubtOf("id\nch_1\n", undefined, "2026-11-28T03:00:00Z")).toBeUndefined();
  });
});

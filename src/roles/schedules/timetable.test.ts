import { describe, expect, it } from "vitest";
import { between, cronTimetable, everyTimetable, type Timetable } from "./timetable.ts";

function ticksBetween(timetable: Timetable, from: string, to: string): string[] {
  const ticks: string[] = [];
  const end = Date.parse(to);
  for (let at = timetable.next(Date.parse(from) - 1); at !== undefined && at < end; at = timetable.next(at)) {
    ticks.push(new Date(at).toISOString().replace(":00.000Z", "Z"));
  }
  return ticks;
}

/**
 * Written by hand from each zone's rules for 2026.
 *
 * Berlin goes from +01:00 to +02:00 on 29 March at 02:00, and back on 25 October at 03:00. New York goes from -05:00 to
 * -04:00 on 8 March at 02:00, and back on 1 November at 02:00. Lord Howe goes from +11:00 back to +10:30 on 5 April at
 * 02:00, and forth on 4 October at 02:00: by half an hour.
 */
const aroundChanges = [
  {
    title: "Berlin in spring: 02:30 does not exist, so it runs at 03:00, the first instant after the gap",
    zone: "Europe/Berlin",
    cron: "30 2 * * *",
    from: "2026-03-27T00:00Z",
    to: "2026-03-31T00:00Z",
    ticks: ["2026-03-27T01:30Z", "2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
  },
  {
    title: "Berlin in spring: all quarters of the skipped hour are one tick, that of 03:00",
    zone: "Europe/Berlin",
    cron: "*/15 * * * *",
    from: "2026-03-29T00:30Z",
    to: "2026-03-29T01:45Z",
    ticks: [
      "2026-03-29T00:30Z",
      "2026-03-29T00:45Z",
      "2026-03-29T01:00Z",
      "2026-03-29T01:15Z",
      "2026-03-29T01:30Z",
    ],
  },
  {
    title: "Berlin in spring: only matches within the skipped hour still run, once",
    zone: "Europe/Berlin",
    cron: "*/15 2 * * *",
    from: "2026-03-28T12:00Z",
    to: "2026-03-30T00:20Z",
    ticks: ["2026-03-29T01:00Z", "2026-03-30T00:00Z", "2026-03-30T00:15Z"],
  },
  {
    title: "Berlin in autumn: the hour from 02:00 is shown twice and runs once, the first time",
    zone: "Europe/Berlin",
    cron: "30 * * * *",
    from: "2026-10-24T23:00Z",
    to: "2026-10-25T04:00Z",
    ticks: ["2026-10-24T23:30Z", "2026-10-25T00:30Z", "2026-10-25T02:30Z", "2026-10-25T03:30Z"],
  },
  {
    title: "New York in spring: 02:30 does not exist",
    zone: "America/New_York",
    cron: "30 2 * * *",
    from: "2026-03-07T00:00Z",
    to: "2026-03-10T00:00Z",
    ticks: ["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"],
  },
  {
    title: "New York in autumn: 01:30 is shown twice and runs once",
    zone: "America/New_York",
    cron: "30 1 * * *",
    from: "2026-10-31T00:00Z",
    to: "2026-11-03T00:00Z",
    ticks: ["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"],
  },
  {
    title: "Lord Howe in April: the half hour from 01:30 is shown twice and runs once",
    zone: "Australia/Lord_Howe",
    cron: "*/15 * * * *",
    from: "2026-04-04T14:15Z",
    to: "2026-04-04T16:00Z",
    ticks: [
      "2026-04-04T14:15Z",
      "2026-04-04T14:30Z",
      "2026-04-04T14:45Z",
      "2026-04-04T15:30Z",
      "2026-04-04T15:45Z",
    ],
  },
  {
    title: "Lord Howe in October: 02:00 and 02:15 do not exist, 02:30 runs once for all three",
    zone: "Australia/Lord_Howe",
    cron: "*/15 * * * *",
    from: "2026-10-03T15:00Z",
    to: "2026-10-03T16:00Z",
    ticks: ["2026-10-03T15:00Z", "2026-10-03T15:15Z", "2026-10-03T15:30Z", "2026-10-03T15:45Z"],
  },
];

describe("a cron timetable around a change of the clocks", () => {
  it.each(aroundChanges)("$title", ({ zone, cron, from, to, ticks }) => {
    expect(ticksBetween(cronTimetable(cron, zone), from, to)).toEqual(ticks);
  });

  it.each(aroundChanges)("gives the same ticks looking back: $title", ({ zone, cron, to, ticks }) => {
    const back = cronTimetable(cron, zone).latest(ticks.length, Date.parse(to) - 1);
    expect(back.reverse().map((at) => new Date(at).toISOString().replace(":00.000Z", "Z"))).toEqual(ticks);
  });
});

describe("a cron timetable fires once for each clock time that exists", () => {
  it.each([
    { zone: "Europe/Berlin", from: "2025-12-31T23:00Z", to: "2026-12-31T23:00Z" },
    { zone: "America/New_York", from: "2026-01-01T05:00Z", to: "2027-01-01T05:00Z" },
    { zone: "Australia/Lord_Howe", from: "2025-12-31T13:00Z", to: "2026-12-31T13:00Z" },
  ])("on each day of a year in $zone", ({ zone, from, to }) => {
    for (const daily of ["30 1 * * *", "30 2 * * *", "0 3 * * *", "59 23 * * *"]) {
      expect(ticksBetween(cronTimetable(daily, zone), from, to)).toHaveLength(365);
    }
  });

  // Half hours that happen twice run once.
  it.each([
    { zone: "Europe/Berlin", from: "2026-03-26T00:00Z", to: "2026-04-02T00:00Z", twice: 0 },
    { zone: "Europe/Berlin", from: "2026-10-22T00:00Z", to: "2026-10-29T00:00Z", twice: 2 },
    { zone: "America/New_York", from: "2026-03-05T00:00Z", to: "2026-03-12T00:00Z", twice: 0 },
    { zone: "America/New_York", from: "2026-10-29T00:00Z", to: "2026-11-05T00:00Z", twice: 2 },
    { zone: "Australia/Lord_Howe", from: "2026-10-01T00:00Z", to: "2026-10-08T00:00Z", twice: 0 },
    { zone: "Australia/Lord_Howe", from: "2026-04-02T00:00Z", to: "2026-04-09T00:00Z", twice: 1 },
  ])("on each half hour of a week, from $from, in $zone", ({ zone, from, to, twice }) => {
    expect(ticksBetween(cronTimetable("*/30 * * * *", zone), from, to)).toHaveLength(7 * 48 - twice);
  });
});

describe("a timetable", () => {
  it("never ticks for a date that does not exist", () => {
    const never = cronTimetable("0 0 30 2 *", "UTC");
    expect(never.next(Date.parse("2026-01-01T00:00Z"))).toBeUndefined();
    expect(never.latest(3, Date.parse("2026-01-01T00:00Z"))).toEqual([]);
  });

  it("waits for a leap day", () => {
    expect(cronTimetable("0 0 29 2 *", "UTC").next(Date.parse("2026-01-01T00:00Z"))).toBe(
      Date.parse("2028-02-29T00:00Z"),
    );
  });

  it.each([
    ...["", "* * * *", "0 0 0 * * *", "61 * * * *", "every day", "@often"],
    ...["2099-11-29T05:47:44", "2099-11-29T05:47:44Z", "2099-11-29 05:47:44"],
  ])("refuses the pattern %j", (pattern) => {
    expect(() => cronTimetable(pattern, "UTC")).toThrow();
  });

  it("between two instants ticks at the first and before the second", () => {
    const bounded = between(everyTimetable(60_000), 60_000, 180_000);
    expect([0, 60_000, 120_000].map(bounded.next)).toEqual([60_000, 120_000, undefined]);
    expect(bounded.latest(5, 600_000)).toEqual([120_000, 60_000]);
    expect(bounded.latest(5, 59_999)).toEqual([]);
  });

  it("of a period ticks at its whole multiples since 1970", () => {
    const everyMinute = everyTimetable(60_000);
    expect(everyMinute.next(0)).toBe(60_000);
    expect(everyMinute.next(59_999)).toBe(60_000);
    expect(everyMinute.latest(3, 180_000)).toEqual([180_000, 120_000, 60_000]);
  });
});

it("Rare patterns are found in milliseconds, again at once, and with the same answers", () => {
  const now = Date.parse("2026-11-30T03:00Z");
  for (const pattern of ["0 0 29 2 *", "0 0 29 2 +1", "0 0 * 2 1#5", "0 0 1 1 *", "*/5 * * * *"]) {
    const timetable = cronTimetable(pattern, "Europe/Berlin");
    const startedAt = performance.now();
    const [latest] = timetable.latest(1, now);
    expect(performance.now() - startedAt).toBeLessThan(100);
    const again = cronTimetable(pattern, "Europe/Berlin");
    for (const at of [now, now + 1, now - 60_000, now]) {
      expect(timetable.next(at)).toBe(again.next(at));
      expect(timetable.latest(1, at)).toEqual(cronTimetable(pattern, "Europe/Berlin").latest(1, at));
    }
    if (latest !== undefined) expect(again.next(latest - 1)).toBe(latest);
  }
});

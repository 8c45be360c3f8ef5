import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterLook,
  afterTelling,
  type Condition,
  type Episode,
  noticePace,
  parseEpisodes,
} from "./episodes.ts";

const pace = noticePace(60_000);
const START = 1_800_000_000_000;

function doubt(count: number): Condition {
  return { kind: "doubt", subject: "queue mails", count, mark: count, title: `${count} in doubt`, text: "" };
}

/** Looks at these instants, in seconds, and tells everything at once. @returns what was told, with the second */
function told(looks: readonly (readonly [second: number, found: readonly Condition[]])[]): string[] {
  let episodes: readonly Episode[] = [];
  return looks.flatMap(([second, found]) => {
    const after = afterLook(episodes, { found, unread: [] }, START + second * 1_000, pace);
    episodes = after.mine.reduce(afterTelling, after.episodes);
    return after.mine.map(({ due }) => `${second}: ${due?.stage} ${due?.count}`);
  });
}

/** One look each two seconds. */
function each(from: number, to: number, found: readonly Condition[]) {
  return Array.from({ length: (to - from) / 2 }, (_, index) => [from + 2 * index, found] as const);
}

describe("what people are told", () => {
  it("is one notice of all that came at once, and one when it is over", () => {
    const looks = [...each(0, 2, [doubt(3)]), ...each(2, 30, [doubt(300)]), ...each(30, 60, [])];

    expect(told(looks)).toEqual(["2: began 300", "34: over 300"]);
  });

  it("is what grew, in the next bucket, and nothing again while it stays as it is", () => {
    const looks = [...each(0, 20, [doubt(1)]), ...each(20, 300, [doubt(2)])];

    expect(told(looks)).toEqual(["2: began 1", "60: grew 2"]);
  });

  it("is what comes again, but in the next bucket, and that it lasts, a day later", () => {
    const looks = [
      ...each(0, 10, [doubt(1)]),
      ...each(10, 20, []),
      ...each(20, 100, [doubt(1)]),
      ...each(60 + 24 * 3_600, 64 + 24 * 3_600, [doubt(1)]),
    ];

    expect(told(looks)).toEqual(["2: began 1", "14: over 1", "60: began 1", "86460: lasts 1"]);
  });

  it("is that it came and went, where it was gone before its bucket let anybody tell", () => {
    const looks = [
      ...each(0, 10, [doubt(1)]),
      ...each(10, 20, []),
      ...each(20, 24, [doubt(2)]),
      ...each(24, 80, []),
    ];

    expect(told(looks)).toEqual(["2: began 1", "14: over 1", "60: passed 2"]);
  });

  it("is not that something is over which could not be read", () => {
    const open = afterLook([], { found: [doubt(1)], unread: [] }, START, pace).episodes;
    const later = afterLook(open, { found: [], unread: ["doubt"] }, START + 600_000, pace);

    expect(later.mine.map(({ due }) => due?.stage)).toEqual(["began"]);
  });

  it("is told by one process, and by another one if that dies", () => {
    const look = { found: [doubt(1)], unread: [] };
    const first = afterLook([], look, START, pace);
    const leased = afterLook(first.episodes, look, START + pace.gatherMs, pace);
    const meanwhile = afterLook(leased.episodes, look, START + pace.gatherMs + 1_000, pace);
    const later = afterLook(meanwhile.episodes, look, START + pace.gatherMs + pace.leaseMs, pace);

    expect([first, leased, meanwhile, later].map(({ mine }) => mine.length)).toEqual([0, 1, 0, 1]);
    expect(later.mine[0]?.due?.at).toBe(leased.mine[0]?.due?.at);
  });

  it("is never twice the same within a bucket, and ends with an end, whatever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 400 }), (counts) => {
        const looks = [
          ...counts.map((count, at) => [at * 2, count === 0 ? [] : [doubt(count)]] as const),
          ...each(counts.length * 2, counts.length * 2 + 200, []),
        ];
        const all = told(looks).map((line) => {
          const [second = "", stage = ""] = line.split(/: | /);
          return { key: `${stage} ${Math.floor((START / 1_000 + Number(second)) / 60)}`, stage };
        });

        expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
        if (counts.some((count) => count > 0)) expect(all.at(-1)?.stage).toMatch(/^(over|passed)$/);
      }),
    );
  });

  it.each(["", "{", "[{}]", "7"])("is found anew where the list reads %j", (json) => {
    expect(parseEpisodes(json)).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { parseInfo } from "../fitness/info.ts";
import { demandOf, promotableCount, type Replicas, unconfirmedBy } from "./replicas.ts";

const replica = (port: number, { state = "online", lag = 0 } = {}) =>
  `ip=::1,port=${port},state=${state},offset=7,lag=${lag}`;
const infoOf = (...lines: string[]) =>
  parseInfo(["role:master", ...lines.map((line, index) => `slave${index}:${line}`)].join("\r\n"));
const known = (promotable: number[], others: number[] = []): Replicas => ({
  promotable: new Set(promotable.map((port) => `::1:${port}`)),
  others: new Set(others.map((port) => `::1:${port}`)),
});

describe("which replicas must confirm a write", () => {
  it("are all that could be promoted, and one that is away keeps it unconfirmed, however many others confirm", () => {
    const both = infoOf(replica(1), replica(2));
    expect(unconfirmedBy(known([1, 2]), both, 2)).toBeUndefined();
    expect(unconfirmedBy(known([1, 2]), both, 1)).toEqual({ reached: 1, wanted: 2, away: [] });
    expect(unconfirmedBy(known([1, 2]), infoOf(replica(1)), 1)).toMatchObject({ wanted: 2, away: ["::1:2"] });
    expect(unconfirmedBy(known([1, 2]), infoOf(replica(1), replica(3)), 2)).toMatchObject({
      away: ["::1:2"],
    });
  });

  it("are one more as soon as an unknown one is connected, in sync or not", () => {
    const info = infoOf(replica(1), replica(2, { state: "wait_bgsave" }));
    expect(unconfirmedBy(known([1]), info, 1)).toMatchObject({ wanted: 2 });
    expect(promotableCount(known([1]), info)).toBe(2);
  });

  it("do not include one that cannot be promoted, which never stands for another", () => {
    expect(unconfirmedBy(known([1], [2]), infoOf(replica(1)), 1)).toBeUndefined();
    expect(unconfirmedBy(known([1], [2]), infoOf(replica(2)), 1)).toMatchObject({ away: ["::1:1"] });
    // `WAIT` may have counted either.
    expect(unconfirmedBy(known([1], [2]), infoOf(replica(1), replica(2)), 1)).toMatchObject({ wanted: 2 });
    expect(unconfirmedBy(known([1], [2]), infoOf(replica(1), replica(2, { lag: 4 })), 1)).toBeUndefined();
    expect(unconfirmedBy(known([1], [2]), infoOf(replica(1, { lag: 4 }), replica(2)), 1)).toMatchObject({
      wanted: 2,
    });
    expect(promotableCount(known([1], [2]), infoOf(replica(2)))).toBe(1);
  });

  it("are as many as are known where addresses are translated", () => {
    const translated = infoOf(replica(11), replica(12));
    expect(demandOf(known([1, 2]), translated)).toEqual({ wanted: 2, away: [] });
    expect(demandOf(known([1], [2]), translated)).toEqual({ wanted: 2, away: [] });
    expect(demandOf(known([1, 2, 3]), translated).wanted).toBe(3);
  });

  it("are none where there is none", () => {
    expect(unconfirmedBy(known([]), infoOf(), 0)).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { type AuditRow, linesOf, whatOf } from "../../../console/acts/audit-lines.ts";

const NOW = Date.parse("2026-12-01T09:00:00Z");

function row(id: string, as: string, agoMs: number, changes: Partial<AuditRow> = {}): AuditRow {
  const at = new Date(NOW - agoMs).toISOString();
  const nothing = { effect: "", queue: "default", schedule: "", count: null, evidence: "", by: "ann" };
  return { id, as, at, jobId: `job-${id}`, ...nothing, ...changes };
}

const resolved = (id: string, agoMs: number) => row(id, "done", agoMs, { effect: "send", evidence: "seen" });
const ofAct = (id: string, as: string, agoMs: number, count: number | null) =>
  row(id, as, agoMs, { jobId: "act", queue: "", count });
const texts = (rows: readonly AuditRow[], opened: readonly string[] = []) =>
  linesOf(rows, new Set(opened)).map((line) => `${whatOf(line)} ${line.count} ${line.isPart}`);

describe("the lines of the audit log", () => {
  it("are one for an act on many jobs, with its parts below once it is opened", () => {
    const rows = [
      ofAct("c", "retry-done", 0, 11),
      row("b", "paused", 5_000, { jobId: "" }),
      ofAct("a", "retry-started", 3_600_000, null),
    ];
    expect(texts(rows)).toEqual(["retry: started, done 11 false", "paused null false"]);
    expect(texts(rows, ["act a"])).toEqual([
      "retry: started, done 11 false",
      "retry-done 11 true",
      "retry-started null true",
      "paused null false",
    ]);
  });

  it("are one for what somebody did to many jobs at once, for one reason", () => {
    const rows = [resolved("d", 0), resolved("c", 20_000), resolved("b", 40_000), resolved("a", 7_200_000)];
    expect(texts(rows)).toEqual(["send: done 3 false", "send: done null false"]);
  });

  it("are one each for what is about no job, and for what others did", () => {
    const pause = { jobId: "", evidence: "the bank is away" };
    const rows = [
      row("d", "paused", 0, pause),
      row("c", "paused", 1, pause),
      { ...resolved("b", 2), by: "bob" },
      resolved("a", 3),
    ];
    expect(texts(rows)).toEqual([
      "paused null false",
      "paused null false",
      "send: done null false",
      "send: done null false",
    ]);
  });
});

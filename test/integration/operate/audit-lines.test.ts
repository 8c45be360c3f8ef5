import { describe, expect, it } from "vitest";
import { AUDIT_SIZE, type AuditRow, linesOf, whatOf } from "../../../console/acts/audit-lines.ts";

const NOW = Date.parse("2026-12-01T09:00:00Z");

function row(id: string, as: string, agoMs: number, changes: Partial<AuditRow> = {}): AuditRow {
  const at = new Date(NOW - agoMs).toISOString();
  const nothing = { effect: "", queue: "default", schedule: "", count: null, evidence: "", by: "ann" };
  return { id, as, at, jobId: `job-${id}`, ...nothing, actId: null, ...changes };
}

const resolved = (id: string, agoMs: number, actId: string | null, as = "done") =>
  row(id, as, agoMs, { effect: "send", evidence: "seen", actId });
const ofAct = (id: string, as: string, agoMs: number, count: number | null) =>
  row(id, as, agoMs, { jobId: "act", queue: "", count, actId: "act" });
const texts = (rows: readonly AuditRow[], opened: readonly string[] = []) =>
  linesOf(rows, new Set(opened)).map(
    (line) => `${whatOf(line)} ${line.isAtLeast ? "≥" : ""}${line.count} ${line.isPart}`,
  );

describe("the lines of the audit log", () => {
  it("are one for an act on many jobs, with its parts below once it is opened", () => {
    const rows = [
      ofAct("c", "retry-done", 0, 11),
      row("b", "paused", 5_000, { jobId: "" }),
      ofAct("a", "retry-started", 3_600_000, null),
    ];
    expect(texts(rows)).toEqual(["retry: started, done 11 false", "paused null false"]);
    expect(texts(rows, ["act act"])).toEqual([
      "retry: started, done 11 false",
      "retry-done 11 true",
      "retry-started null true",
      "paused null false",
    ]);
  });

  it("are one for what was resolved together, however it was resolved and how long that took", () => {
    const rows = [
      resolved("d", 0, "import", "not-done"),
      resolved("c", 20_000, "other"),
      resolved("b", 40_000, "import"),
      resolved("a", 7_200_000, "import"),
    ];
    expect(texts(rows)).toEqual(["send: done, not-done 3 false", "send: done null false"]);
  });

  it("are one each for what was done alone, also with the same words at the same moment", () => {
    const rows = [resolved("b", 0, null), resolved("a", 1, null)];
    expect(texts(rows)).toEqual(["send: done null false", "send: done null false"]);
  });

  it("say at least where an act may have more entries than were read", () => {
    const rows = Array.from({ length: AUDIT_SIZE }, (_, index) =>
      resolved(String(index), index, index < 2 ? "one" : "other"),
    );
    expect(texts(rows)).toEqual(["send: done 2 false", `send: done ≥${AUDIT_SIZE - 2} false`]);
    expect(texts(rows.slice(1))).toEqual(["send: done null false", `send: done ${AUDIT_SIZE - 2} false`]);
  });
});

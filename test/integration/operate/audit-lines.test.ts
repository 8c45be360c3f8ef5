import { randomUUID } from "node:crypto";
import { createClient } from "holdfast/client";
import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../../src/desk/audit/audit-entry.ts";
import { foldedLines } from "../../../src/desk/audit/audit-lines.ts";
import { application } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { createService, type Service } from "../../support/service.ts";

const NOW = Date.parse("2026-12-01T09:00:00Z");
const ALL_READ = Number.NEGATIVE_INFINITY;

function entry(as: string, agoMs: number, changes: Partial<AuditEntry> = {}): AuditEntry {
  const at = new Date(NOW - agoMs).toISOString();
  const nothing = { effect: "", queue: "default", schedule: "", count: null, evidence: "", by: "ann" };
  return { as, at, jobId: `job-${agoMs}`, ...nothing, actId: null, ...changes };
}

const resolved = (agoMs: number, actId: string | null, as = "done") =>
  entry(as, agoMs, { effect: "send", evidence: "seen", actId });
const ofAct = (as: string, agoMs: number, count: number | null) =>
  entry(as, agoMs, { jobId: "act", queue: "", count, actId: "act" });
const texts = (entries: readonly AuditEntry[], unreadBefore = ALL_READ) =>
  foldedLines(entries, unreadBefore).map(
    ({ what, count, parts }) => `${what} ${parts?.isExact === false ? "≥" : ""}${count}`,
  );

describe("the lines of the audit log", () => {
  it("are one for an act on many jobs, at its latest entry", () => {
    const entries = [
      ofAct("retry-done", 0, 11),
      entry("paused", 5_000, { jobId: "" }),
      ofAct("retry-started", 3_600_000, null),
    ];
    expect(texts(entries)).toEqual(["retry: started, done 11", "paused null"]);
  });

  it("are one for what was resolved together, however it was resolved and how long that took", () => {
    const entries = [
      resolved(0, "import", "not-done"),
      resolved(20_000, "other"),
      resolved(40_000, "import"),
      { ...resolved(7_200_000, "import"), queue: "aside" },
    ];
    expect(texts(entries)).toEqual(["send: done, not-done 3", "send: done null"]);
    expect(foldedLines(entries, ALL_READ)[0]).toMatchObject({
      jobId: "",
      queue: "",
      parts: { count: 3, as: ["done", "not-done"], isExact: true },
    });
  });

  it("are one each for what was done alone, also with the same words at the same moment", () => {
    expect(texts([resolved(0, null), resolved(0, null)])).toEqual(["send: done null", "send: done null"]);
  });

  it("say at least where an act may have entries that were not read", () => {
    const entries = [resolved(0, "one"), resolved(1, "one"), resolved(90_000, "b"), resolved(90_001, "b")];
    expect(texts(entries, NOW - 90_002)).toEqual(["send: done 2", "send: done ≥2"]);
  });
});

const IMPORTED = 1_200;

/** As an import writes it: each with the act that it was part of. */
async function writeImport(service: Service, actId: string): Promise<void> {
  const redis = service.connect();
  const [key = ""] = await redis.keys(`*${service.env.HOLDFAST_PREFIX}*default*:audit`);
  const pipeline = redis.pipeline();
  for (let index = 0; index < IMPORTED; index += 1) {
    const as = index % 2 === 0 ? "done" : "not-done";
    const what = ["job", `job-${index}`, "dedupKey", "", "effect", "send", "as", as];
    pipeline.xadd(key, "*", ...what, "evidence", "", "by", "x", "actId", actId);
  }
  await pipeline.exec();
}

describe("an import of an export in the audit log", () => {
  it("hides nothing that was before it: it is one line over HTTP and by command, and its entries are those of its act", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const client = createClient({ url });
    await client.pauseQueue("default", { reason: "before" });
    const actId = randomUUID();
    await writeImport(service, actId);
    await client.resumeQueue("default");

    const shown = (lines: readonly { readonly what: string; readonly count: number | null }[]) =>
      lines.map(({ what, count }) => `${what} ${count}`);
    const lines = ["resumed null", `send: done, not-done ${IMPORTED}`, "paused null"];
    expect(shown(await client.auditTrail(3))).toEqual(lines);
    const { stdout } = await run(["audit", "list", "--limit", "3"], service.env);
    expect(stdout.trim().split("\n")).toHaveLength(4);
    expect(stdout).toContain(`several jobs of default  ${IMPORTED}`);
    const json = await run(["audit", "list", "--limit", "3", "--json"], service.env);
    expect(
      shown(
        json.stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ),
    ).toEqual(lines);

    const parts = await client.auditTrail(1_000, { actId });
    expect(shown(parts.slice(0, 2))).toEqual(["send: not-done null", "send: done null"]);
    expect(parts).toHaveLength(1_000);
    const byCommand = await run(["audit", "list", "--act", actId, "--limit", "2000", "--json"], service.env);
    expect(byCommand.stdout.trim().split("\n")).toHaveLength(IMPORTED);
    const file = await call(`${url}/audit/export?format=csv&actId=${actId}`, "GET");
    expect(String(file.body.text).trim().split("\r\n")).toHaveLength(1 + IMPORTED);
  });
});

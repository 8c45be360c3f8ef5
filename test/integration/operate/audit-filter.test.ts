import { createClient } from "holdfast/client";
import { describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";

describe("the audit log", () => {
  it("is narrowed by person and time, and written as a file, over HTTP and by command", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const client = createClient({ url });
    const operator = await service.createOperator();
    await operator.queues.pause("default", { reason: '=cmd, "quoted"', by: "ann@build-1" });
    const [first] = await client.auditTrail(1);
    const at = first?.at ?? "";
    await operator.queues.resume("default", { by: "ops-night (session)" });
    await operator.queues.pause("default", { reason: "theirs", by: "ops-night" });

    const done = (entries: readonly { readonly as: string; readonly by: string }[]) =>
      entries.map(({ as, by }) => `${as} ${by}`);
    expect(done(await client.auditTrail(50, { by: "ops-night" }))).toEqual([
      "paused ops-night",
      "resumed ops-night (session)",
    ]);
    expect(done(await client.auditTrail(50, { to: new Date(Date.parse(at) + 1).toISOString() }))).toEqual(
      expect.arrayContaining(["paused ann@build-1"]),
    );
    expect(await client.auditTrail(50, { to: at, by: "ann@build-1" })).toEqual([]);
    expect(await client.auditTrail(50, { from: at, by: "ann@build-1" })).toEqual([first]);
    expect(await client.auditTrail(50, { to: "1970-01-01T00:00:00Z" })).toEqual([]);

    const file = await call(`${url}/audit/export?by=ann@build-1`, "GET");
    expect(file.headers.get("content-disposition")).toBe('attachment; filename="audit.csv"');
    const csv = `at,as,jobId,effect,queue,schedule,count,by,evidence,actId\r\n${at},paused,,,default,,,ann@build-1,"'=cmd, ""quoted""",\r\n`;
    expect(file.body.text).toBe(csv);
    const written = await run(["audit", "export", "--by", "ann@build-1"], service.env);
    expect(written).toMatchObject({ code: 0, stdout: csv });
    const lines = await run(["audit", "export", "--format", "ndjson"], service.env);
    const entries = lines.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries).toEqual(
      (await client.auditTrail(200)).map(({ what: _what, parts: _parts, ...entry }) => entry),
    );
    expect(await run(["audit", "export", "--format", "xml"], service.env)).toMatchObject({
      code: 2,
    });
  });

  it("is exported whole, also where many entries are of one instant, and what one did before all others", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const client = createClient({ url });
    await client.pauseQueue("default", { reason: "once" });
    const redis = service.connect();
    const [key = ""] = (await redis.keys(`*${service.env.HOLDFAST_PREFIX}*`)).filter((name) =>
      /default.*:audit$/.test(name),
    );
    // More than a search by person reads.
    const COUNT = 22_000;
    const pipeline = redis.pipeline();
    // Those of one instant each follow 1,300 of one.
    const base = Date.now() + 60_000;
    for (let index = 0; index < COUNT; index += 1) {
      const ms = base + Math.max(0, index - 1_300);
      pipeline.xadd(
        key,
        `${ms}-${index + 1}`,
        "job",
        "",
        "effect",
        "",
        "dedupKey",
        "",
        "as",
        `made-${index}`,
        "evidence",
        "",
        "by",
        "x",
      );
    }
    await pipeline.exec();

    const { body } = await call(`${url}/audit/export?format=csv`, "GET");
    const made = String(body.text)
      .split("\r\n")
      .filter((line) => line.includes("made-"));
    expect(new Set(made).size).toBe(COUNT);
    expect(made.length).toBe(COUNT);
    const early = await call(`${url}/audit/export?by=API&format=ndjson`, "GET");
    expect(early.body).toMatchObject({ as: "paused", evidence: "once" });
    const nobody = await call(`${url}/audit/export?jobId=none`, "GET");
    expect(nobody).toMatchObject({ status: 404, body: { code: "JOB_NOT_FOUND" } });
  });
});

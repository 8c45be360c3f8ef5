import { describe, expect, it } from "vitest";
import { get, post } from "../../support/http.ts";
import { HOUR_MS, openIndexing } from "../../support/indexing.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";

const refusedAt = (pointer: string) => ({
  status: 400,
  body: { code: "INVALID_REQUEST", errors: [{ pointer }] },
});

describe("debounced submissions over HTTP and on the command line", withProcesses, () => {
  const body = (idempotencyKey: string, options: object) => ({
    type: "index",
    payload: { text: idempotencyKey },
    idempotencyKey,
    options,
  });
  const debounce = { key: "document-7", ms: HOUR_MS };

  it("answers say what was replaced, and by what", async () => {
    const { startApi } = await openIndexing();
    const { url } = await startApi();
    const first = await post(`${url}/jobs`, body("first", { debounce }));
    const { id } = first.body;
    expect(first).toMatchObject({ status: 202, body: { duplicate: false } });
    expect(await post(`${url}/jobs`, body("second", { debounce }))).toMatchObject({
      status: 202,
      body: { id, duplicate: false, replaces: true },
    });
    expect(await post(`${url}/jobs`, body("first", { debounce }))).toMatchObject({
      status: 200,
      body: { id, duplicate: true, replacedBy: "second" },
    });
    expect(await post(`${url}/jobs`, body("first", {}))).toMatchObject({ status: 422 });
    expect(await get(`${url}/jobs/${id}/status`)).toMatchObject({ body: { state: "delayed", replaced: 1 } });
  });

  it.each([
    [{ debounce: { key: "", ms: 1 } }, "/options/debounce/key"],
    [{ debounce: { key: "x".repeat(256), ms: 1 } }, "/options/debounce/key"],
    [{ debounce: { key: "k", ms: 0 } }, "/options/debounce/ms"],
    [{ debounce: { key: "k" } }, "/options/debounce/ms"],
    [{ debounce: { key: "k", ms: 2, maxMs: 1 } }, "/options/debounce/maxMs"],
    [{ debounce, delayMs: 0 }, "/options/delayMs"],
    [{ debounce, runAt: "2026-12-01T09:00:00Z" }, "/options/runAt"],
  ])("options that make no sense are refused: %j", async (options, pointer) => {
    const { startApi } = await openIndexing();
    const { url } = await startApi();
    expect(await post(`${url}/jobs`, body("k", options))).toMatchObject(refusedAt(pointer));
  });

  it("jobs of flows are refused", async () => {
    const { startApi } = await openIndexing();
    const { url } = await startApi();
    const child = { type: "index", payload: { text: "child" } };
    const parent = body("parent", {});
    expect(
      await post(`${url}/flows`, { parent: body("parent", { debounce }), children: [child] }),
    ).toMatchObject(refusedAt("/parent/options/debounce"));
    expect(
      await post(`${url}/flows`, { parent, children: [{ ...child, options: { debounce } }] }),
    ).toMatchObject(refusedAt("/children/0/options/debounce"));
  });

  it("the command line has all options, and those that belong together", async () => {
    const { env } = await openIndexing();
    const submit = (key: string, ...more: string[]) =>
      run(["submit", "echo", "--key", key, "--payload", "1", ...more], env);
    const debounced = ["--debounce-key", "document-7", "--debounce-ms", "3600000"];
    const first = await submit("first", ...debounced);
    const id = /accepted (\S+)/.exec(first.stdout)?.[1];
    expect((await submit("second", ...debounced)).stdout).toContain(`accepted ${id}, in place of an earlier`);
    expect((await submit("first", ...debounced)).stdout).toContain(`duplicate of ${id}, replaced by second`);
    expect(await submit("third", "--debounce-ms", "5")).toMatchObject({ code: 2 });
    expect(await submit("third", "--debounce-key", "k")).toMatchObject({ code: 2 });
    expect(await submit("third", "--debounce-max-ms", "5")).toMatchObject({ code: 2 });
    const tooShort = await submit("third", ...debounced, "--debounce-max-ms", "5");
    expect(tooShort).toMatchObject({ code: 1, stderr: expect.stringContaining("/options/debounce/maxMs") });

    const bounded = [
      "--debounce-key",
      "document-8",
      "--debounce-ms",
      "3600000",
      "--debounce-max-ms",
      "3600000",
    ];
    const { id: other } = JSON.parse((await submit("fourth", ...bounded, "--json")).stdout);
    const dueAt = async () => JSON.parse((await run(["status", other, "--json"], env)).stdout).nextAttemptAt;
    const due = await dueAt();
    expect(JSON.parse((await submit("fifth", ...bounded, "--json")).stdout)).toMatchObject({
      id: other,
      replaces: true,
    });
    expect(await dueAt()).toBe(due);
    expect((await run(["jobs", "show", other], env)).stdout).toMatch(
      /^replaced {6}1 earlier submission$[\s\S]*^key {11}fifth$/m,
    );
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createProducer } from "holdfast";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { type Failpoint, onFailpoint } from "../../../src/core/failpoints.ts";
import { bookOf, chapterId, openLibrary, operatorOf } from "../../support/library.ts";
import { launch, launchRole, withProcesses } from "../../support/processes.ts";
import { untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const CONFIG = fileURLToPath(new URL("../../support/fixtures/books.config.ts", import.meta.url));
const chapters = Array.from({ length: 100 }, (_, index) => `chapter-${index}`);

afterEach(() => onFailpoint(async () => {}));

/** Ends a submission where a step is done so many times, as if its process had died there. */
function dieAt(wanted: Failpoint, times = 1): void {
  let left = times;
  onFailpoint(async (point) => {
    if (point !== wanted) return;
    left -= 1;
    if (left <= 0) throw new Error("killed");
  });
}

describe("a submitter that dies", () => {
  it.each<[string, Failpoint, number]>([
    ["after the parent", "flow:opened", 1],
    ["after the first children", "flow:child", 1],
    ["among the children", "flow:child", 50],
    ["after the last child", "flow:added", 1],
  ])("%s leaves a parent that waits, and the same flow finishes it", async (_, point, times) => {
    // Most children that have ended are gone when the flow is submitted again; their results count all the same.
    const library = await openLibrary({ HOLDFAST_KEEP_COMPLETED: "5" });
    const { producer, rendered, bound, application, env, startWorker } = library;
    const operator = await operatorOf(library);
    const flow = bookOf("book", ...chapters);
    dieAt(point, times);
    await expect(producer.submitFlow(flow)).rejects.toThrow("killed");
    onFailpoint(async () => {});
    await startWorker();

    const [half] = (await operator.list({ state: "waiting-children", limit: 10 })).jobs;
    const added = half?.children?.total ?? 0;
    await until("the added children have ended", () => rendered.length === added);
    await until(
      "they have been counted",
      async () => (await producer.status(half?.id ?? ""))?.children?.waiting === 0,
    );
    expect(await producer.status(half?.id ?? "")).toMatchObject({
      state: "waiting-children",
      children: { waiting: 0, isWhole: false },
    });

    const another = await createProducer(application, env);
    onTestFinished(another.stop);
    const { id, duplicate } = await another.submitFlow(flow);
    const pages = chapters.join("").length;
    expect({ id, duplicate }).toEqual({ id: half?.id, duplicate: true });
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages, missing: [] });
    expect(rendered.toSorted()).toEqual(chapters.toSorted());
    expect(bound).toEqual(["book"]);
  });

  it("whose flow a child has failed meanwhile, adds the other children all the same", async () => {
    const library = await openLibrary();
    const { producer, rendered, bad, startWorker } = library;
    const operator = await operatorOf(library);
    const flow = bookOf("book", "bad", ...chapters);
    dieAt("flow:child");
    await expect(producer.submitFlow(flow)).rejects.toThrow("killed");
    onFailpoint(async () => {});
    const badId = await chapterId(operator, "book", "bad");
    await startWorker();
    await untilState(producer, badId, "failed");
    const { id } = await producer.submitFlow(flow);
    await until("the other children have ended", () => rendered.length === chapters.length + 1);
    expect((await untilState(producer, id, "failed")).error?.code).toBe("CHILD_FAILED");

    bad.clear();
    await operator.retry(badId);
    await operator.retry(id);
    const pages = `bad${chapters.join("")}`.length;
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages, missing: [] });
  });

  it("whose flow has been cancelled meanwhile, adds nothing until the parent is retried", async () => {
    const library = await openLibrary();
    const { producer, rendered, startWorker } = library;
    const operator = await operatorOf(library);
    const flow = bookOf("book", ...chapters);
    dieAt("flow:opened");
    await expect(producer.submitFlow(flow)).rejects.toThrow("killed");
    onFailpoint(async () => {});
    const [half] = (await operator.list({ state: "waiting-children", limit: 10 })).jobs;
    const id = half?.id ?? "";
    await operator.cancel(id);
    expect(await producer.submitFlow(flow)).toMatchObject({ id, duplicate: true });
    expect(await producer.status(id)).toMatchObject({ state: "failed", children: { total: 0 } });

    await operator.retry(id);
    await startWorker();
    expect((await producer.status(id))?.state).toBe("waiting-children");
    await producer.submitFlow(flow);
    await untilState(producer, id, "completed");
    expect(rendered).toHaveLength(chapters.length);
  });
});

describe("processes that are killed in the middle of a flow", withProcesses, () => {
  it("leave one that the same command, and another worker, finish", async () => {
    const { producer, env, connect, keys } = await openLibrary();
    const variables = { ...env, HOLDFAST_CONFIG: CONFIG, HOLDFAST_LOCK_MS: "1000" };
    const file = await flowFile(500);
    const client = connect();
    const children = () => client.llen(keys.waiting);

    const submitting = launch(["submit", "--flow", file], variables);
    await until("some children are added", async () => (await children()) > 0, 60_000);
    submitting.kill("SIGKILL");
    await submitting.ended;
    const again = await launch(["submit", "--flow", file, "--json"], variables).ended;
    const { id, children: total } = JSON.parse(again.stdout) as { id: string; children: number };
    expect(total).toBe(500);

    const first = await launchRole("worker", variables);
    const done = async () => (await producer.status(id))?.children?.completed ?? 0;
    await until("some children have ended", async () => (await done()) > 20);
    first.kill("SIGKILL");
    await first.ended;
    await launchRole("worker", variables);
    const { result } = await until(
      "the parent has ended",
      async () => {
        const status = await producer.status(id);
        return status?.state === "completed" && status;
      },
      60_000,
    );
    expect(result).toEqual({ pages: 500, missing: [] });
  });
});

/** A flow of children that take a moment, as a file. */
async function flowFile(count: number): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-flow-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "flow.json");
  const parent = { type: "bind", payload: { title: "book" }, idempotencyKey: "book" };
  const child = { type: "render", payload: { chapter: "x", takesMs: 20 } };
  await writeFile(file, JSON.stringify({ parent, children: Array.from({ length: count }, () => child) }));
  return file;
}

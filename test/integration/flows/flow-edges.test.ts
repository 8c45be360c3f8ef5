import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { FlowProducer, Worker } from "bullmq";
import { createClient } from "holdfast/client";
import { runHandler } from "holdfast/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { bullmqQueueName } from "../../../src/core/bullmq/store/queue-keys.ts";
import { openSubmitPath } from "../../../src/core/submit/submit-path.ts";
import { openFlowSubmitter } from "../../../src/features/flows/flow-submitter.ts";
import { features } from "../../../src/features/index.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { bind, bindHandler, render } from "../../support/fixtures/books.config.ts";
import { post } from "../../support/http.ts";
import { bookOf, chapterId, openLibrary, operatorOf } from "../../support/library.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { untilState } from "../../support/service.ts";

const CONFIG = fileURLToPath(new URL("../../support/fixtures/books.config.ts", import.meta.url));

/** A flow as HTTP takes it. */
const body = (...chapters: readonly string[]) => ({
  parent: { type: "bind", payload: { title: "book" }, idempotencyKey: "book" },
  children: chapters.map((chapter) => ({ type: "render", payload: { chapter }, name: chapter })),
});

describe("POST /flows", () => {
  it("answers 202 with the parent's receipt, 200 for the same flow, and 422 for another", async () => {
    const { startApi, startWorker, producer } = await openLibrary();
    const { url } = await startApi();
    const first = await post(`${url}/flows`, body("one", "two"));
    const same = await post(`${url}/flows`, body("one", "two"));
    const other = await post(`${url}/flows`, body("one"));

    const { id } = first.body;
    const receipt = {
      id,
      type: "bind",
      idempotencyKey: "book",
      children: 2,
      statusUrl: `/jobs/${id}/status`,
    };
    expect([first.status, first.body]).toEqual([202, { ...receipt, duplicate: false }]);
    expect(first.headers.get("location")).toBe(`/jobs/${id}/status`);
    expect([same.status, same.body]).toEqual([200, { ...receipt, duplicate: true }]);
    expect(same.headers.get("idempotency-replayed")).toBe("true");
    expect([other.status, other.body.code]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);

    await startWorker();
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 6, missing: [] });
  });

  it("answers 400 with where each job is wrong", async () => {
    const { startApi } = await openLibrary();
    const { url } = await startApi();
    const answers = await Promise.all(
      [
        {},
        { ...body("one"), children: [] },
        { ...body("one"), onChildFailure: "shrug" },
        { ...body(), children: [{ type: "nothing", payload: {} }] },
        { parent: { type: "bind", payload: { title: "book" } }, children: body("one").children },
      ].map((flow) => post(`${url}/flows`, flow)),
    );
    const found = answers.map(({ status, body: { code, errors } }) => [
      status,
      code,
      (errors as { pointer: string }[]).map(({ pointer }) => pointer),
    ]);
    expect(found).toEqual([
      [400, "INVALID_REQUEST", ["/parent", "/children"]],
      [400, "INVALID_REQUEST", ["/children"]],
      [400, "INVALID_REQUEST", ["/onChildFailure"]],
      [400, "UNKNOWN_JOB_TYPE", ["/children/0/type"]],
      [400, "IDEMPOTENCY_KEY_MISSING", ["/parent/idempotencyKey"]],
    ]);
  });
});

describe("the time for an answer", () => {
  it("counts from when the request arrived, and later the flow can be sent again", async () => {
    const { application, env } = await openLibrary();
    const path = await openSubmitPath(application, readSettings(env), features);
    onTestFinished(path.stop);
    const submitFlow = openFlowSubmitter(application, path);
    const anHourAgo = performance.now() - 3_600_000;

    await expect(submitFlow(body("one"), { arrivedAt: anHourAgo })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("Sending the same flow again finishes it"),
    });

    expect(await submitFlow(body("one"))).toMatchObject({ children: 1 });
  });
});

describe("the client", () => {
  it("submits the flow that the library submits", async () => {
    const { startApi, producer } = await openLibrary();
    const { url } = await startApi();
    const client = createClient({ url });
    const flow = bookOf("book", "one", "two");
    const priority = { ...flow, parent: { ...flow.parent, startBy: new Date("2100-01-01"), priority: 3 } };
    const receipt = await client.submitFlow(priority);
    expect(receipt).toMatchObject({ type: "bind", idempotencyKey: "book", duplicate: false, children: 2 });
    expect(await producer.submitFlow(priority)).toEqual({ ...receipt, duplicate: true });
    await expect(client.submitFlow(flow)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
  });
});

describe("holdfast submit --flow", withProcesses, () => {
  it("submits a file, and jobs show says how the jobs belong together", async () => {
    const { env } = await openLibrary();
    const variables = { ...env, HOLDFAST_CONFIG: CONFIG };
    const folder = await mkdtemp(path.join(tmpdir(), "holdfast-flow-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "book.json");
    await writeFile(file, JSON.stringify(body("one", "two")));

    const submitted = await run(["submit", "--flow", file], variables);
    expect(submitted.stdout).toMatch(/^accepted default_\S+, with 2 children\n$/);
    const [, id = ""] = /(default_[^,]+)/.exec(submitted.stdout) ?? [];
    const [shown, listed, wrong] = await Promise.all([
      run(["jobs", "show", id], variables),
      run(["jobs", "list", "--state", "waiting-children", "--json"], variables),
      run(["submit", "bind", "--flow", file, "--key", "k"], variables),
    ]);
    expect(shown.stdout).toContain("children      2: 2 have not ended, 0 completed, 0 failed");
    expect(JSON.parse(listed.stdout)).toMatchObject({ id, state: "waiting-children" });
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining("cannot be combined with --flow"),
    ]);
  });
});

describe("BullMQ's own tools", () => {
  it("see a flow, and run its children", async () => {
    const { producer, env, connect, openBareQueue, startWorker } = await openLibrary();
    const { id } = await producer.submitFlow(bookOf("book", "one", "two"));
    const queue = openBareQueue();
    const options = { prefix: env.HOLDFAST_PREFIX, connection: connect() };
    const flows = new FlowProducer(options);
    onTestFinished(() => flows.close());
    expect(await queue.getJobState(id)).toBe("waiting-children");
    const { children = [] } = await flows.getFlow({ id, queueName: queue.name, prefix: env.HOLDFAST_PREFIX });
    expect(children.map(({ job: { name } }) => name)).toEqual(["render", "render"]);

    const worker = new Worker(bullmqQueueName("default"), null, { ...options, connection: connect() });
    onTestFinished(() => worker.close());
    for (const token of ["first", "second"])
      await (await worker.getNextJob(token))?.moveToCompleted({ pages: 7 }, token, false);
    await untilState(producer, id, "waiting");
    await startWorker();
    expect((await untilState(producer, id, "completed")).result).toEqual({ pages: 14, missing: [] });
  });
});

describe("tags", () => {
  it("find parents and children", async () => {
    const library = await openLibrary();
    const operator = await operatorOf(library);
    const { parent, children } = bookOf("book", "one", "two");
    const [one, two] = children;
    const { id } = await library.producer.submitFlow({
      parent: { ...parent, tags: ["author:austen"] },
      children: [{ ...one, tags: ["author:austen"] }, two] as typeof children,
    });
    const { jobs } = await operator.list({ tag: "author:austen", limit: 10 });
    const child = await chapterId(operator, "book", "one");
    expect(jobs.map((job) => job.id).sort()).toEqual([child, id].sort());
  });
});

describe("runHandler", () => {
  it("gives a parent's handler the children of the test", async () => {
    const { result } = await runHandler(
      bindHandler,
      { title: "book" },
      {
        children: [
          { type: render.type, result: { pages: 3 } },
          { type: render.type, name: "two", error: new Error("no ink") },
        ],
      },
    );
    expect(result).toEqual({ pages: 3, missing: ["two"] });
  });

  it("gives it none by default", async () => {
    expect((await runHandler(bindHandler, { title: bind.type })).result).toEqual({ pages: 0, missing: [] });
  });
});

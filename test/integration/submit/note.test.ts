import type { Producer } from "holdfast";
import { createClient } from "holdfast/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application, echo } from "../../support/application.ts";
import { post } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";

const service = createService(application, {}, afterAll);
let producer: Producer;
let url: string;

beforeAll(async () => {
  producer = await service.createProducer();
  ({ url } = await service.startApi());
});

describe("a note", withProcesses, () => {
  it("is stored with its job, listed, found by a part of it, and shown of the job, whichever way it came in", async () => {
    const client = createClient({ url });
    const { id } = await client.submit(echo, 1, { idempotencyKey: "client", note: "asked for by Ann" });
    const body = { type: "echo", payload: 1, idempotencyKey: "http", options: { note: "Ann again" } };
    const { body: posted } = await post(`${url}/jobs`, body);
    await producer.submit(echo, 1, { idempotencyKey: "other", note: "asked for by Bob" });
    await producer.submit(echo, 1, { idempotencyKey: "none" });
    const submitted = [
      "submit",
      "echo",
      "--key",
      "cli",
      "--payload",
      "1",
      "--note",
      "Ann, by hand",
      "--json",
    ];
    const { stdout } = await run(submitted, service.env);

    const { jobs } = await client.list({ note: "Ann", order: "oldest" });
    expect(new Set(jobs.map((job) => [job.id, job.note].join(" ")))).toEqual(
      new Set([
        `${id} asked for by Ann`,
        `${posted["id"]} Ann again`,
        `${JSON.parse(stdout).id} Ann, by hand`,
      ]),
    );
    expect(await client.status(id)).toMatchObject({ note: "asked for by Ann" });
    expect((await client.detail(id)).lines).toContainEqual({ name: "note", text: "asked for by Ann" });
    expect((await run(["jobs", "show", id], service.env)).stdout).toMatch(/^note +asked for by Ann$/m);
    const listed = await run(["jobs", "list", "--note", "Bob", "--json"], service.env);
    expect(listed.stdout).toContain("asked for by Bob");
    expect(listed.stdout).not.toContain("Ann");
  });

  it("is part of the content, and refused where it is too long", async () => {
    await producer.submit(echo, 1, { idempotencyKey: "content", note: "one" });
    const other = producer.submit(echo, 1, { idempotencyKey: "content", note: "two" });
    await expect(other).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    const long = producer.submit(echo, 1, { idempotencyKey: "long", note: "x".repeat(201) });
    await expect(long).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      issues: [{ pointer: "/options/note" }],
    });
  });
});

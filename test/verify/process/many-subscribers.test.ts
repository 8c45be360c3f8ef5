import { request } from "node:http";
import { json } from "node:stream/consumers";
import type { JobStatus } from "holdfast";
import { describe, expect, it } from "vitest";
import { jobStates } from "../../../src/core/job/job-state.ts";
import { application, echo } from "../../support/application.ts";
import { openStream } from "../../support/event-stream.ts";
import { get } from "../../support/http.ts";
import { launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const JOBS = 500;

/** Waits for a job's end, over a new connection. */
function waitForEnd(url: string): Promise<JobStatus> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, headers: { prefer: "wait=60" } }, (response) => {
      json(response).then((body) => resolve(body as JobStatus), reject);
    });
    asked.on("error", reject).end();
  });
}

describe("one API process", withProcesses, () => {
  it("serves a thousand subscribers while as many other jobs run", async () => {
    const service = createService(application);
    const api = urlOf(await launchRole("api", service.env));
    const producer = await service.createProducer();
    const submissions = Array.from({ length: 2 * JOBS }, (_, index) => ({
      payload: index,
      idempotencyKey: `k${index}`,
    }));
    const receipts = await producer.submitMany(echo, submissions);
    const ids = receipts.map((receipt) => ("id" in receipt ? receipt.id : ""));
    // Every other job has subscribers, one client of each kind.
    const subscribed = ids.filter((_, index) => index % 2 === 0);
    const urlOfJob = (id: string) => `${api}/jobs/${id}/status`;

    const streams = await Promise.all(subscribed.map((id) => openStream(urlOfJob(id))));
    const waits = Promise.all(subscribed.map((id) => waitForEnd(urlOfJob(id))));
    await until("all have subscribed", async () =>
      String((await get(`${api}/metrics`)).body.text).includes(`holdfast_subscribers ${2 * JOBS}\n`),
    );
    await service.startWorker();

    const ends = subscribed.map((id, index) => ({ id, state: "completed", result: 2 * index }));
    expect(await waits).toMatchObject(ends);
    await Promise.all(streams.map(({ ended }) => ended));
    expect(streams.map(({ events }) => events.at(-1)?.data)).toMatchObject(ends);
    for (const { states } of streams) {
      expect(states[0]).toBe("waiting");
      expect(states).toEqual(jobStates.filter((state) => states.includes(state)));
    }
  });
});

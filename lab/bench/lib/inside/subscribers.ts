// Clients that wait for jobs, in their own process: `subscribers.ts URL COUNT SECONDS`. Half hold an event stream open, half a read
// with `Prefer: wait`. Their jobs become due one after another, within SECONDS after all of them subscribed.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { payload } from "./contestant.ts";

const [, , url = "", count = "", seconds = ""] = process.argv;
const { host, hostname, port } = new URL(url);
const subscribers = Number(count);
const BATCH = 500;
const OPENED_PER_SECOND = 1_000;
const SPARE_MS = 15_000;

const dueAt = Date.now() + (1_000 * subscribers) / OPENED_PER_SECOND + SPARE_MS;
const jobs = await submitJobs();
const answers = await openAll();
await allSubscribed();
process.send?.({ dueInMs: dueAt - Date.now() });
const results = await Promise.all(answers);
process.send?.({ right: results.filter(Boolean).length });

/** @returns the ids of jobs that become due evenly */
async function submitJobs(): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < subscribers) {
    const submissions = Array.from({ length: Math.min(BATCH, subscribers - ids.length) }, (_, index) => ({
      type: "plain-email",
      payload: payload,
      idempotencyKey: `subscribed-${ids.length + index}`,
      options: { runAt: dueOf(ids.length + index) },
    }));
    const response = await fetch(`${url}/jobs/batch`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jobs: submissions }),
    });
    const { results } = (await response.json()) as { results: { id: string }[] };
    ids.push(...results.map(({ id }) => id));
  }
  return ids;
}

function dueOf(index: number): string {
  return new Date(dueAt + (index / subscribers) * Number(seconds) * 1_000).toISOString();
}

async function openAll(): Promise<Promise<boolean>[]> {
  const opened: Promise<boolean>[] = [];
  for (const [index, id] of jobs.entries()) {
    const asked = index % 2 === 0 ? "Accept: text/event-stream" : "Prefer: wait=60";
    // Checked as they come: all at once at the end would take CPU time from the measurement.
    opened.push(answerTo(id, asked).then((answer) => reportsEnd(answer, id)));
    if (index % 10 === 0) await sleep(10_000 / OPENED_PER_SECOND);
  }
  return opened;
}

/** Bare sockets: ten thousand requests of a client library would cost this process more than the service. */
function answerTo(id: string, asked: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    connect(Number(port), hostname)
      .setEncoding("utf8")
      .on("data", (text) => {
        answer += text;
      })
      .on("error", (error) => {
        answer = String(error);
      })
      .on("close", () => resolve(answer))
      .write(`GET /jobs/${id}/status HTTP/1.1\r\nHost: ${host}\r\n${asked}\r\nConnection: close\r\n\r\n`);
  });
}

async function allSubscribed(): Promise<void> {
  // Any name: another build may call the gauge differently.
  const gauge = new RegExp(`^holdfast_\\w+ ${subscribers}$`, "m");
  while (Date.now() < dueAt) {
    if (gauge.test(await (await fetch(`${url}/metrics`)).text())) return;
    await sleep(100);
  }
}

/** The last line with an object is the job's end, whether the answer came in chunks or whole. */
function reportsEnd(answer: string, id: string): boolean {
  if (!answer.startsWith("HTTP/1.1 200 ")) return false;
  const line = answer.split("\n").findLast((line) => /^(data: )?{/.test(line)) ?? "";
  const status = JSON.parse(line.replace(/^data: /, "") || "{}") as {
    readonly id?: string;
    readonly state?: string;
  };
  return status.id === id && status.state === "completed";
}

// Clients that follow jobs, in a process of their own: `followers.ts URL COUNT SECONDS`. Half of them hold an event stream
// open, half a read with `Prefer: wait`. Their jobs become due, one after the other, within SECONDS after all follow.
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
const jobs = await submitFollowed();
const answers = await openAll();
await allFollow();
process.send?.({ dueInMs: dueAt - Date.now() });
const told = await Promise.all(answers);
process.send?.({ right: told.filter(Boolean).length });

/** @returns the ids of jobs that become due evenly */
async function submitFollowed(): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < subscribers) {
    const submissions = Array.from({ length: Math.min(BATCH, subscribers - ids.length) }, (_, index) => ({
      type: "plain-email",
      payload: payload,
      idempotencyKey: `followed-${ids.length + index}`,
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
    // Judged as it comes: all at once, at the end, would take the processor from what is measured.
    opened.push(answerTo(id, asked).then((answer) => tellsEnd(answer, id)));
    if (index % 10 === 0) await sleep(10_000 / OPENED_PER_SECOND);
  }
  return opened;
}

/** By a bare socket: ten thousand requests of a client library are more for this process to keep than for the service. */
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

async function allFollow(): Promise<void> {
  for (let open = -1; open !== subscribers && Date.now() < dueAt; ) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    open = Number(/^holdfast_subscribers (\d+)$/m.exec(metrics)?.[1]);
    if (open !== subscribers) await sleep(100);
  }
}

/** The end of the job was told, as the last thing: the last line with an object, be the answer sent in chunks or whole. */
function tellsEnd(answer: string, id: string): boolean {
  if (!answer.startsWith("HTTP/1.1 200 ")) return false;
  const line = answer.split("\n").findLast((line) => /^(data: )?{/.test(line)) ?? "";
  const told = JSON.parse(line.replace(/^data: /, "") || "{}") as {
    readonly id?: string;
    readonly state?: string;
  };
  return told.id === id && told.state === "completed";
}

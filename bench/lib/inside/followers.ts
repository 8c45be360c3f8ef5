// Clients that follow jobs, in a process of their own: `followers.ts URL COUNT SECONDS`. Half of them hold an event stream
// open, half a read with `Prefer: wait`. Their jobs become due, one after the other, within SECONDS after all follow.
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { payload } from "./contestant.ts";

const [, , url = "", count = "", seconds = ""] = process.argv;
const followers = Number(count);
const BATCH = 500;
const OPENED_PER_SECOND = 1_000;
const SPARE_MS = 15_000;

const dueAt = Date.now() + (1_000 * followers) / OPENED_PER_SECOND + SPARE_MS;
const jobs = await submitFollowed();
const answers = await openAll();
await allFollow();
process.send?.({ dueInMs: dueAt - Date.now() });
const told = await Promise.all(answers);
process.send?.({ right: told.filter(Boolean).length });

/** @returns the ids of jobs that become due evenly */
async function submitFollowed(): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < followers) {
    const submissions = Array.from({ length: Math.min(BATCH, followers - ids.length) }, (_, index) => ({
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
  return new Date(dueAt + (index / followers) * Number(seconds) * 1_000).toISOString();
}

async function openAll(): Promise<Promise<boolean>[]> {
  const opened: Promise<boolean>[] = [];
  for (const [index, id] of jobs.entries()) {
    const headers = index % 2 === 0 ? { accept: "text/event-stream" } : { prefer: "wait=60" };
    const answer = answerOf(request(`${url}/jobs/${id}/status`, { agent: false, headers }));
    // Judged as it comes: all at once, at the end, would take the processor from what is measured.
    opened.push(answer.then((text) => tellsEnd(text, id)));
    if (index % 10 === 0) await sleep(10_000 / OPENED_PER_SECOND);
  }
  return opened;
}

async function answerOf(asked: ClientRequest): Promise<string> {
  try {
    const [response] = (await once(asked.end(), "response")) as [IncomingMessage];
    return `${response.statusCode} ${await text(response)}`;
  } catch (error) {
    return String(error);
  }
}

async function allFollow(): Promise<void> {
  for (let open = -1; open !== followers && Date.now() < dueAt; ) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    open = Number(/^holdfast_followers (\d+)$/m.exec(metrics)?.[1]);
    if (open !== followers) await sleep(100);
  }
}

/** The end of the job was told, as the last thing. */
function tellsEnd(answer: string, id: string): boolean {
  const line = answer.trimEnd().split("\n").at(-1) ?? "";
  const status = line.replace(/^(200|data:) /, "");
  if (!answer.startsWith("200 ") || !status.startsWith("{")) return false;
  const told = JSON.parse(status) as { readonly id: string; readonly state: string };
  return told.id === id && told.state === "completed";
}

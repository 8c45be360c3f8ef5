// Submits jobs at a steady pace, in its own process: `paced.ts URL PER_SECOND WARM_UP_SECONDS SECONDS`. A job's time counts from
// when it was due, even if earlier answers were late.
import { Pool } from "undici";
import { latencyOf } from "../../../lib/statistics.ts";
import { payload } from "./contestant.ts";

const [, , url = "", perSecond = "", warmUpSeconds = "", seconds = ""] = process.argv;
const CONNECTIONS = 64;

const pool = new Pool(url, { connections: CONNECTIONS });
const pace = Number(perSecond);
/** Not measured: connections are opened and code is compiled. */
const first = pace * Number(warmUpSeconds);
const total = first + pace * Number(seconds);
const took: number[] = [];
const sent: Promise<void>[] = [];
let refused = 0;
const startedAt = performance.now();

await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * pace) / 1_000));
    while (sent.length < due) sent.push(submit(sent.length));
    if (sent.length < total) return;
    clearInterval(timer);
    resolve();
  }, 1);
});
await Promise.all(sent);
process.send?.({ refused, latency: latencyOf(took) });

async function submit(index: number): Promise<void> {
  const dueAt = startedAt + (1_000 * index) / pace;
  const { statusCode, body } = await pool.request({
    path: "/jobs",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: "plain-email", payload, idempotencyKey: `paced-${index}` }),
  });
  await body.dump();
  if (statusCode !== 202) refused += 1;
  if (index >= first) took.push(performance.now() - dueAt);
}

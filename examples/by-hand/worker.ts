// Runs the jobs. What it throws fails the attempt; BullMQ decides on the next one.
import { type Job, Worker } from "bullmq";
import { createTransport } from "nodemailer";
import { job as jobSchema } from "./jobs.ts";
import { redis } from "./queue.ts";
import { clocks, keptJobs } from "./settings.ts";

const { SMTP_URL } = process.env;
const mailer = SMTP_URL
  ? createTransport({ url: SMTP_URL, pool: true })
  : createTransport({ jsonTransport: true });

// #region once
/** Acts once for each job: who reserves it acts, and whoever comes later finds the reservation. */
async function once(id: string, act: () => Promise<string>): Promise<string> {
  const key = `done:${id}`;
  const found = await redis.set(key, "reserved", "PX", clocks.reservationMs, "NX", "GET");
  if (found === "reserved") throw new Error("Another attempt is at it");
  if (found !== null) return found;
  try {
    const result = await act();
    await redis.set(key, result, "PX", clocks.reservationMs);
    return result;
  } catch (error) {
    // It was not done, so the next attempt may do it.
    await redis.del(key);
    throw error;
  }
}
// #endregion

async function run({ id = "", name, data }: Job): Promise<{ result: string }> {
  const { type, payload } = jobSchema.parse({ type: name, payload: data });
  const result = await once(id, async () => {
    if (type === "daily-digest") return await post(payload.url, { at: payload.at });
    const mail = { to: payload.email, subject: `Welcome, ${payload.name}`, text: payload.message };
    return (await mailer.sendMail({ from: "app@localhost", ...mail })).messageId;
  });
  return { result };
}

async function post(url: string, body: object): Promise<string> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return String(response.status);
}

const worker = new Worker("by-hand", run, {
  connection: redis,
  concurrency: 50,
  lockDuration: clocks.lockMs,
  stalledInterval: clocks.lockMs,
  removeOnComplete: { count: keptJobs },
});
worker.on("completed", ({ id }) => console.log(`worker: ${id} completed`));
worker.on("failed", (job, error) => console.log(`worker: ${job?.id} failed an attempt: ${error.message}`));
process.once("SIGTERM", async () => {
  await worker.close();
  process.exit();
});

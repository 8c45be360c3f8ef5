import { Worker } from "bullmq";
import { guardJob } from "holdfast/guard";
import { chargeCard } from "./bank.js";
import { charge, guard } from "./charge.js";

const worker = new Worker(
  "orders",
  async (job, token) =>
    await guardJob(guard, job, token).once(charge, {}, ({ key, signal }) =>
      chargeCard(job.data.cents, { key, signal }),
    ),
  // A dead worker's job is found within ten seconds, not within a minute.
  { connection: { url: process.env.REDIS_URL }, lockDuration: 5_000, stalledInterval: 5_000 },
);
worker.on("completed", (job, result) => console.log(`job ${job.id}:`, result));
worker.on("failed", (job, error) => console.log(`job ${job.id}: ${error.message}`));

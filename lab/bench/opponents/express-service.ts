// The service that a good developer would write by hand in an afternoon: Express, a schema, and keys by SET NX.
import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { Queue } from "bullmq";
import express from "express";
import { Redis } from "ioredis";
import { z } from "zod";

const KEY_RETENTION_MS = 7 * 24 * 60 * 60 * 1_000;

const submission = z.strictObject({
  type: z.literal("plain-email"),
  payload: z.strictObject({
    email: z.email(),
    name: z.string().min(1).max(200),
    message: z.string().max(10_000),
  }),
  idempotencyKey: z.string().min(1).max(255),
});

const connection = new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
const queue = new Queue("bench", { connection });
const app = express();
app.disable("x-powered-by");
app.use(express.json({ limit: "1mb" }));

app.post("/jobs", async (request, response) => {
  const parsed = submission.safeParse(request.body);
  if (!parsed.success) {
    response.status(400).json({ error: z.prettifyError(parsed.error) });
    return;
  }
  const { type, payload, idempotencyKey } = parsed.data;
  const id = randomUUID();
  const key = `idempotency:${type}:${idempotencyKey}`;
  const claimed = await connection.set(key, id, "PX", KEY_RETENTION_MS, "NX");
  if (claimed === null) {
    response.json({ id: await connection.get(key), duplicate: true });
    return;
  }
  await queue.add(type, payload, { jobId: id, attempts: 3, backoff: { type: "fixed", delay: 2_000 } });
  response.status(202).location(`/jobs/${id}/status`).json({ id, duplicate: false });
});

const server = app.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on("disconnect", () => process.exit());

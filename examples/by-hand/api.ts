// POST /jobs, and GET /jobs/:id/status, straight from BullMQ.
import express, { type ErrorRequestHandler } from "express";
import { z } from "zod";
import { queue, submit } from "./queue.ts";

const app = express();
app.disable("x-powered-by");
app.use(express.json({ limit: "1mb" }));

app.post("/jobs", async (request, response) => {
  const receipt = await submit(request.body);
  response
    .status(receipt.duplicate ? 200 : 202)
    .location(`/jobs/${receipt.id}/status`)
    .json(receipt);
});

// #region status
app.get("/jobs/:id/status", async (request, response) => {
  const job = await queue.getJob(request.params.id);
  if (job === undefined) {
    response.status(404).json({ error: "There is no such job" });
    return;
  }
  response.json({
    id: job.id,
    type: job.name,
    state: await job.getState(),
    attemptsMade: job.attemptsMade,
    maxAttempts: job.opts.attempts,
    result: job.returnvalue,
    error: job.failedReason ?? null,
  });
});
// #endregion

const refuse: ErrorRequestHandler = (error, _request, response, _next) => {
  const status = error instanceof z.ZodError ? 400 : (error.status ?? 503);
  response
    .status(status)
    .json({ error: error instanceof z.ZodError ? z.prettifyError(error) : error.message });
};
app.use(refuse);

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  process.send?.({ url: `http://127.0.0.1:${port}` });
  console.log(`api: http://127.0.0.1:${port}`);
});
process.once("disconnect", () => process.exit());

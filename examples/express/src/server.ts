// An Express application: a producer in its routes, and Holdfast's API, console and reference at /jobs-admin.
import express, { type ErrorRequestHandler } from "express";
import { createProducer, HoldfastError } from "holdfast";
import { createHandler } from "holdfast/server";
import { welcome } from "./contract.js";
import application from "./holdfast.config.js";

const app = express();

// #region mount
const jobs = await createHandler(application, { prefix: "/jobs-admin" });
app.use(jobs.node); // before any body parser: Holdfast reads bodies itself
// #endregion

// #region producer
const producer = await createProducer(application);
app.use(express.json());

app.get("/", (_request, response) => {
  response.send('<a href="/jobs-admin/console/">Jobs</a>');
});

app.post("/signups/:id", async (request, response) => {
  const idempotencyKey = `signup-${request.params.id}`;
  response.status(202).json(await producer.submit(welcome, request.body, { idempotencyKey }));
});

// Express answers with the error's statusCode by itself: 400 for a bad payload, 503 without Redis. This adds what is wrong.
const answerProblem: ErrorRequestHandler = (error, _request, response, next) => {
  if (!(error instanceof HoldfastError)) return next(error);
  response.status(error.statusCode).type("application/problem+json").json(error.toProblem());
};
app.use(answerProblem);
// #endregion

const server = app.listen(Number(process.env.PORT ?? 3001));

process.once("SIGTERM", async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  await jobs.stop(); // ends event streams, which would keep the server open
  await closed;
  await producer.stop();
});

// An Express application whose producer lives as long as its server.
import express, { type ErrorRequestHandler } from "express";
import { createProducer, HoldfastError } from "holdfast";
import application from "../../holdfast.config.ts";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";

const producer = await createProducer(application);

const app = express().use(express.json());
app.post("/signups/:id", async (request, response) => {
  const idempotencyKey = `signup-${request.params.id}`;
  response.status(202).json(await producer.submit(welcomeEmail, request.body, { idempotencyKey }));
});

// Express answers with the error's statusCode by itself: 400 for a bad payload, 503 without Redis. This adds what is wrong.
const answerProblem: ErrorRequestHandler = (error, _request, response, next) => {
  if (!(error instanceof HoldfastError)) return next(error);
  response.status(error.statusCode).type("application/problem+json").json(error.toProblem());
};
app.use(answerProblem);

const server = app.listen(3001);
process.once("SIGTERM", () => server.close(() => void producer.stop()));

// An Express application whose producer lives as long as its server.
import express from "express";
import { createProducer } from "holdfast";
import application from "../../holdfast.config.ts";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";

const producer = await createProducer(application);

const app = express().use(express.json());
app.post("/signups/:id", async (request, response) => {
  const idempotencyKey = `signup-${request.params.id}`;
  response.status(202).json(await producer.submit(welcomeEmail, request.body, { idempotencyKey }));
});

const server = app.listen(3001);
process.once("SIGTERM", () => server.close(() => void producer.stop()));

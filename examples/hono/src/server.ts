// A Hono application: a producer in its routes, and Holdfast's API, console and reference at /jobs-admin.
import { randomUUID } from "node:crypto";
import { serve } from "@hono/node-server";
import { createProducer, HoldfastError, type PayloadOf } from "holdfast";
import { createHandler } from "holdfast/server";
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { HTTPException } from "hono/http-exception";
import { validator } from "hono/validator";
import { welcome } from "./contract.js";
import application from "./holdfast.config.js";

const app = new Hono();

const jobs = await createHandler(application, { prefix: "/jobs-admin" });
app.all("/jobs-admin/*", ({ req }) => jobs.fetch(req.raw));

// A page of the application's own, with its own login.
app.get(
  "/team",
  basicAuth({ username: "team", password: process.env.TEAM_PASSWORD ?? randomUUID() }),
  (context) => context.text("Only for the team"),
);

const producer = await createProducer(application);

app.get("/", (context) => context.html('<a href="/jobs-admin/console/">Jobs</a>'));

// `submit` checks it.
const signUp = validator("json", (body) => body as PayloadOf<typeof welcome>);

app.post("/signups/:id", signUp, async (context) => {
  const idempotencyKey = `signup-${context.req.param("id")}`;
  return context.json(await producer.submit(welcome, context.req.valid("json"), { idempotencyKey }), 202);
});

app.onError((error) => {
  if (error instanceof HoldfastError) {
    const headers = { "content-type": "application/problem+json" };
    return Response.json(error.toProblem(), { status: error.statusCode, headers });
  }
  // Hono's own and its middleware's: 400 of a validator, 401 of basicAuth.
  if (error instanceof HTTPException) return error.getResponse();
  console.error(error);
  return new Response("Internal Server Error", { status: 500 });
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3001) });

process.once("SIGTERM", async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  await jobs.stop(); // ends event streams, which would keep the server open
  await closed;
  await producer.stop();
});

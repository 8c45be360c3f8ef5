// An Express application with Holdfast's API, console and reference at /jobs-admin.
import express from "express";
import { createHandler } from "holdfast/server";
import application from "../../holdfast.config.ts";

const jobs = await createHandler(application, { prefix: "/jobs-admin" });

// Before any body parser: Holdfast reads bodies itself.
const app = express().use(jobs.node).use(express.json());
app.get("/", (_request, response) => {
  response.send('<a href="/jobs-admin/console/">Jobs</a>');
});

const server = app.listen(3001);
process.once("SIGTERM", async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  await jobs.stop(); // ends event streams, which would keep the server open
  await closed;
});

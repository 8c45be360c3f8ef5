import { z } from "zod";
import { workerSchema } from "../workers/workers.ts";
import { expectQuiet, pauseReason } from "./act-inputs.ts";
import { COMPONENT_NAME, change } from "./operation.ts";

const worker = workerSchema.meta({ [COMPONENT_NAME]: "Worker" });

const one = {
  params: { name: "The worker's name, as the overview shows it." },
  errors: ["INVALID_REQUEST", "WORKER_NOT_FOUND", "CHANGED_MEANWHILE", "STORE_UNAVAILABLE"],
} as const;

export const workerOperations = {
  quietWorker: change({
    ...one,
    id: "quietWorker",
    method: "POST",
    path: "/workers/:name/quiet",
    summary: "Quiet a worker",
    description:
      "That process alone claims no more jobs, from its next heartbeat on, within five seconds. Its running jobs go on, and it stays alive. It is quiet until it is woken or stopped; a restarted worker is another one. While Redis is away, it keeps to what it was told last.",
    input: pauseReason("its machine loses packets").extend({ expect: expectQuiet }),
    answer: worker.describe("It is told to claim no more jobs."),
    run: ({ workers }, { params: { name }, input: { reason, expect }, by }) =>
      workers.quiet(name, { reason, by }, expect?.quietSince),
  }),
  wakeWorker: change({
    ...one,
    id: "wakeWorker",
    method: "POST",
    path: "/workers/:name/wake",
    summary: "Wake a quiet worker",
    description: "It claims jobs again from its next heartbeat on, within five seconds.",
    input: z.strictObject({ expect: expectQuiet }).optional(),
    answer: worker.describe("It may claim jobs again."),
    run: ({ workers }, { params: { name }, input: { expect } = {}, by }) =>
      workers.wake(name, { by }, expect?.quietSince),
  }),
};

import { createProducer, type JobStatus, type Receipt } from "holdfast";
import { createClient } from "holdfast/client";
import { type Api, startApi } from "holdfast/server";
import { startWorker, type WorkerRole } from "holdfast/worker";
import application from "./application.js";
import { welcome } from "./contract.js";

export async function submit(): Promise<Receipt> {
  const producer = await createProducer(application);
  // @ts-expect-error a number is no address
  await producer.submit(welcome, { to: 1 }, { idempotencyKey: "k" }).catch(() => {});
  const receipt = await producer.submit(welcome, { to: "li@example.com" }, { idempotencyKey: "k" });
  const status: JobStatus | undefined = await producer.status(receipt.id);
  console.log(status?.state);
  await producer.stop();
  return receipt;
}

export const api = (): Promise<Api> => startApi(application);
export const worker = (): Promise<WorkerRole> =>
  startWorker(application, process.env, { onFailed: ({ error, jobId }) => console.error(jobId, error) });

export async function submitOverHttp(): Promise<string> {
  const client = createClient({ url: "http://127.0.0.1:3000" });
  // @ts-expect-error a number is no address
  await client.submit(welcome, { to: 1 }, { idempotencyKey: "k" }).catch(() => {});
  return (await client.submit(welcome, { to: "li@example.com" }, { idempotencyKey: "k" })).id;
}

// Submits one job, as a bundle that runs: prints its id, or why it could not.
import { createProducer, defineConfig } from "holdfast";
import { welcome } from "./contract.js";

const application = defineConfig({ jobs: [welcome] });

/** Submits one job and returns its id. */
export async function submitOnce(idempotencyKey: string): Promise<string> {
  const producer = await createProducer(application);
  try {
    return (await producer.submit(welcome, { to: "li@example.com" }, { idempotencyKey })).id;
  } finally {
    await producer.stop();
  }
}

// A route handler whose producer lives as long as the server.
import { createProducer, defineConfig } from "holdfast";
import { welcome } from "../contract.js";

const application = defineConfig({ jobs: [welcome] });
const kept = globalThis as { producer?: ReturnType<typeof createProducer> };

export async function POST(request: Request): Promise<Response> {
  kept.producer ??= createProducer(application);
  const producer = await kept.producer;
  const idempotencyKey = request.headers.get("idempotency-key") ?? "";
  return Response.json(
    await producer.submit(welcome, (await request.json()) as { to: string }, { idempotencyKey }),
  );
}

// A route handler that submits a job.
import { HoldfastError } from "holdfast";
import { welcome } from "../../../jobs/contract";
import { openProducer } from "../../../lib/jobs";

export async function POST(request: Request, { params }: { params: Promise<{ id: string }> }) {
  const idempotencyKey = `signup-${(await params).id}`;
  // `submit` checks it.
  const payload = await request.json().catch(() => undefined);
  try {
    const producer = await openProducer();
    return Response.json(await producer.submit(welcome, payload, { idempotencyKey }), { status: 202 });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const headers = { "content-type": "application/problem+json" };
    return Response.json(error.toProblem(), { status: error.statusCode, headers });
  }
}

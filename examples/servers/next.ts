// A route handler of Next.js, such as app/api/signups/route.ts. Its producer lives as long as the server.
import { createProducer, defineConfig, HoldfastError } from "holdfast";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";

// Contracts alone: the bundler would follow an application to its handlers.
const application = defineConfig({ jobs: [welcomeEmail] });

// In development each change loads this module again; `globalThis` stays.
const kept = globalThis as { producer?: ReturnType<typeof createProducer> | undefined };

interface SignUp {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly message: string;
}

function openProducer() {
  kept.producer ??= createProducer(application).catch((error: unknown) => {
    kept.producer = undefined; // the next request tries again
    throw error;
  });
  return kept.producer;
}

export async function POST(request: Request): Promise<Response> {
  // `submit` checks it.
  const { id, ...payload } = (await request.json()) as SignUp;
  const producer = await openProducer();
  try {
    const receipt = await producer.submit(welcomeEmail, payload, { idempotencyKey: `signup-${id}` });
    return Response.json(receipt, { status: 202 });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return Response.json(error.toProblem(), { status: error.statusCode });
  }
}

// app/jobs-admin/[...path]/route.ts in Next.js. Hono: app.all("/jobs-admin/*", ({ req }) => handle(req.raw)).
import { defineConfig } from "holdfast";
import { createHandler, type Handler } from "holdfast/server";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";

// Contracts alone: the bundler would follow an application to its handlers.
const application = defineConfig({ jobs: [welcomeEmail] });

// In development each change loads this module again; `globalThis` stays.
const kept = globalThis as { jobs?: Promise<Handler> | undefined };

async function handle(request: Request): Promise<Response> {
  kept.jobs ??= createHandler(application, { prefix: "/jobs-admin" }).catch((error: unknown) => {
    kept.jobs = undefined; // the next request tries again
    throw error;
  });
  return (await kept.jobs).fetch(request);
}

export { handle as DELETE, handle as GET, handle as HEAD, handle as POST, handle as PUT };

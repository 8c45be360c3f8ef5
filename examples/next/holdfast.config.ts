// The worker's: the server has the contracts alone, in lib/jobs.ts.
import { defineConfig } from "holdfast";
import { welcome } from "./jobs/contract";
import { welcomeHandler } from "./jobs/handler";

export default defineConfig({ jobs: [welcome], handlers: async () => [welcomeHandler] });

import { openDefineConfig } from "../core/define/define-config.ts";
import { openDefineJob } from "../core/define/define-job.ts";
import { features } from "./index.ts";

/**
 * Declares a job type.
 *
 * @function
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 * @example
 * export const report = defineJob({
 *   type: "report",
 *   payload: z.strictObject({ month: z.string() }),
 *   result: z.strictObject({ pages: z.int() }),
 *   retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 5_000 } },
 *   timeoutMs: 60_000,
 * });
 */
export const defineJob = openDefineJob(features);

/**
 * Declares an application: the default export of `holdfast.config.ts`.
 *
 * @function
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault: a type or schedule that is declared twice, or a
 *   schedule whose job is not listed
 * @example
 * export default defineConfig({
 *   jobs: [report],
 *   handlers: async () => (await import("./jobs/handlers.js")).handlers,
 *   schedules: [monthlyReport],
 * });
 */
export const defineConfig = openDefineConfig(features);

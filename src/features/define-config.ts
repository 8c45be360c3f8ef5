import { type Application, type ApplicationDefinition, applicationOf } from "../core/job/define-config.ts";
import { declarations } from "./declared.ts";

/**
 * Declares an application: the default export of `holdfast.config.ts`.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault: a type or schedule that is declared twice, or a
 *   schedule whose job is not listed
 * @example
 * export default defineConfig({
 *   jobs: [report],
 *   handlers: async () => (await import("./jobs/handlers.js")).handlers,
 *   schedules: [monthlyReport],
 * });
 */
export function defineConfig(definition: ApplicationDefinition): Application {
  return applicationOf(definition, declarations);
}

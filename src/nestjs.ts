/**
 * `holdfast/nestjs`: handlers as methods of providers, and what submits and operates as providers. Nest is an optional peer.
 *
 * @module holdfast/nestjs
 */
export { HoldfastOperator, HoldfastProducer } from "./edges/nestjs/connections.ts";
export { type HandledJob, HandlesJob } from "./edges/nestjs/handles-job.ts";
export { HoldfastHealth, type HoldfastHealthResult } from "./edges/nestjs/health.ts";
export { HoldfastModule, type HoldfastModuleAsyncOptions } from "./edges/nestjs/holdfast-module.ts";
export { nestApplication } from "./edges/nestjs/nest-application.ts";
export type { HoldfastModuleOptions } from "./edges/nestjs/options.ts";

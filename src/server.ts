/**
 * The public surface of the HTTP API, for a process that serves it: it loads Fastify, the console and the reference.
 *
 * @module holdfast/server
 */
export { createHandler, type Handler, type HandlerOptions } from "./edges/http/mount/create-handler.ts";
export { type Api, startApi } from "./edges/http/start-api.ts";

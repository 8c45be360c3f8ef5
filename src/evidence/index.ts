/**
 * `holdfast/evidence`: what the errors of well-known libraries prove about an effect. It knows errors by their shape, and loads no library.
 *
 * @module holdfast/evidence
 */

export type { Classify, EffectVerdict, NotDone } from "./classifier.ts";
export { combine, connection } from "./classifier.ts";
export { grpc } from "./grpc.ts";
export { http } from "./http.ts";
export type { Outgoing, Seen } from "./outgoing/outgoing.ts";
export { anthropic, aws, octokit, openai, stripe } from "./providers.ts";
export { smtp } from "./smtp.ts";
export { sql } from "./sql.ts";

/**
 * `holdfast/evidence`: what the errors of well-known libraries prove about an effect. It knows errors by their shape, and loads no library.
 *
 * @module holdfast/evidence
 */

export { aws } from "./aws.ts";
export type { Classify, EffectVerdict, NotDone } from "./classifier.ts";
export { combine } from "./classifier.ts";
export { connection } from "./connection.ts";
export { grpc } from "./grpc.ts";
export { http } from "./http.ts";
export { anthropic, openai } from "./language-models.ts";
export { octokit } from "./octokit.ts";
export type { Outgoing, Seen } from "./outgoing/outgoing.ts";
export { smtp } from "./smtp.ts";
export { sql } from "./sql.ts";
export { stripe } from "./stripe.ts";

/**
 * `holdfast/evidence`: what the errors of well-known libraries prove about an effect. By the shape of errors: it loads no library.
 *
 * @module holdfast/evidence
 */
export type { Classify, EffectVerdict, NotDone } from "../core/job/effect.ts";
export type { Outgoing, Seen } from "../core/job/outgoing.ts";
export { aws } from "./aws.ts";
export { combine } from "./combine.ts";
export { grpc } from "./grpc.ts";
export { http } from "./http.ts";
export { anthropic, openai } from "./language-models.ts";
export { octokit } from "./octokit.ts";
export { smtp } from "./smtp.ts";
export { sql } from "./sql.ts";
export { stripe } from "./stripe.ts";

import { createHmac } from "node:crypto";
import { PermanentError } from "holdfast";

/** The headers of https://www.standardwebhooks.com. */
export interface SignatureHeaders {
  readonly "webhook-id": string;
  /** Seconds since 1970. */
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

const SECRET_PREFIX = "whsec_";

/**
 * Signs a body.
 *
 * @param secret `whsec_` and the key's bytes in base64
 * @param id the same for every delivery of one event, without full stops
 * @param at the time of this delivery
 */
export function signatureHeaders(secret: string, id: string, at: Date, body: string): SignatureHeaders {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

/** @throws PermanentError if there is none: no event is sent unsigned */
export function readSecret(env: { readonly WEBHOOK_SECRET?: string | undefined }): string {
  const secret = env.WEBHOOK_SECRET ?? "";
  if (secret.startsWith(SECRET_PREFIX)) return secret;
  throw new PermanentError("WEBHOOK_SECRET: expected whsec_ and a key in base64");
}

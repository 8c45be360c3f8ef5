import { hash } from "node:crypto";
import type { EffectCall, Policies } from "../../core/job/effect.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { Jsonified } from "../../core/job/jsonified.ts";
import type { Guard, GuardedCall, GuardedEffect, OnceOptions } from "../../guard/guard.ts";
import { HoldfastError, type Problem } from "../../platform/errors/holdfast-error.ts";
import { expectUse } from "./wrong-use.ts";

type Policy = Policies[string];

/** As for `guard.once`. */
export interface RouteCall extends Omit<GuardedCall, "key"> {
  /** The request's `Idempotency-Key`. Quotes around it do not count; it is refused where it is missing, or there are several. */
  readonly key: string | readonly string[] | null | undefined;
  /** Whose key it is: the account that has signed in. The same key of another is another key. @default all callers share their keys */
  readonly scope?: string;
}

/** What to answer: `response.status(status).set(headers).send(body)`, or `Response.json(body, { status, headers })`. */
export interface RouteAnswer<Body> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body | Problem;
}

/**
 * Runs an effect for a request that may be sent again, in any framework, with the usual conventions of idempotent routes: 400 without a key,
 * 409 with `Retry-After` while another request is at it, 409 `IN_DOUBT`, 422 for other content, 500 `RESULT_INVALID` where it is done without a
 * result that can be kept, and the first request's result with `Idempotent-Replayed: true`.
 *
 * @param call what the request means: its key and what is compared, such as its body
 * @returns 200 with the result, or a problem of RFC 9457
 * @throws what `run` throws, if it is proved that nothing happened: the same key may be sent again
 * @throws HoldfastError `USAGE`, `INVALID_REQUEST` for what the route itself gets wrong: its caller could not mend that
 * @example
 * const { status, headers, body } = await guardRoute(guard, charge, { key: request.get("idempotency-key"), content: request.body }, run);
 * response.status(status).set(headers).send(body);
 */
export async function guardRoute<Result, Stored, P extends Policy>(
  guard: Pick<Guard, "once">,
  effect: GuardedEffect<Result, Stored, P>,
  call: RouteCall,
  run: (call: EffectCall) => Promise<NoInfer<Result>>,
  ...options: NoInfer<OnceOptions<Stored, P>>
): Promise<RouteAnswer<Jsonified<Stored>>> {
  expectUse("guardRoute: guard", guard, "a guard");
  expectUse("guardRoute: effect", effect, "an effect of defineEffect");
  expectUse("guardRoute: call", call, "an object");
  expectUse("guardRoute: run", run, "a function");
  // An account that is missing by mistake would share the keys of everybody.
  if ("scope" in call) expectUse("guardRoute: call.scope", call.scope, "a text that is not empty");
  const { key: sent, scope, ...others } = call;
  let hasRun = false;
  try {
    const key = keyOf(sent, scope);
    const running = (given: EffectCall) => {
      hasRun = true;
      return run(given);
    };
    const body = await guard.once<Result, Stored, P>(effect, { ...others, key }, running, ...options);
    return { status: 200, headers: hasRun ? {} : { "idempotent-replayed": "true" }, body };
  } catch (error) {
    if (!isAnswer(error)) throw error;
    const wait =
      error.retryAfterMs === undefined
        ? {}
        : { "retry-after": String(Math.ceil(error.retryAfterMs / 1_000)) };
    return {
      status: error.statusCode,
      headers: { "content-type": "application/problem+json", ...wait },
      body: error.toProblem(),
    };
  }
}

/** What says about the request, and not about what the effect does, nor about how the route calls it. */
function isAnswer(error: unknown): error is HoldfastError {
  if (!(error instanceof HoldfastError)) return false;
  if (error.code === "INVALID_REQUEST")
    return error.issues.every(({ pointer }) => pointer.startsWith("/content"));
  return error.statusCode < 500 || error.code.startsWith("STORE_") || error.code === "RESULT_INVALID";
}

/** @throws HoldfastError `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID` */
function keyOf(sent: string | readonly string[] | null | undefined, scope: string | undefined): string {
  if (sent != null && typeof sent !== "string")
    throw new HoldfastError("IDEMPOTENCY_KEY_INVALID", "expected one Idempotency-Key header");
  const key = /^"(.*)"$/.exec(sent ?? "")?.[1] ?? sent ?? "";
  if (key === "") throw new HoldfastError("IDEMPOTENCY_KEY_MISSING", "expected an Idempotency-Key header");
  const own = ownKey(key, scope);
  // A valid key is not refused for the length of its account's name.
  const isTooLong = keyFault(key) === undefined && keyFault(own) !== undefined;
  return isTooLong ? ` ${hash("sha256", own, "base64url")}` : own;
}

function ownKey(key: string, scope: string | undefined): string {
  // No account's name begins with a space: who has none cannot name an account's key.
  if (scope === undefined) return key.includes(" ") ? ` ${key}` : key;
  // Encoded, so that no account has a part of its key in another one's name.
  return `${encodeURIComponent(scope.toWellFormed())} ${key}`;
}

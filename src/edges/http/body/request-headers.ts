import type { IncomingMessage } from "node:http";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { headerValues } from "../../../platform/lib/hosts.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the `Idempotency-Key` header, quoted (a string of RFC 9651) or bare.
 *
 * @returns undefined if it is absent
 * @throws HoldfastError `IDEMPOTENCY_KEY_INVALID` if it is sent twice, badly quoted or not UTF-8
 */
export function readKeyHeader(request: IncomingMessage): string | undefined {
  const [value, second] = headerValues(request, "idempotency-key");
  if (value === undefined) return undefined;
  if (second !== undefined) throw invalid("expected one Idempotency-Key header");
  const text = decode(value);
  return text.startsWith('"') ? unquote(text) : text;
}

/** Node decodes headers as Latin-1. */
function decode(value: string): string {
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch (cause) {
    throw invalid("expected UTF-8 in the Idempotency-Key header", cause);
  }
}

function unquote(text: string): string {
  const [, inner] = /^"((?:[^"\\]|\\["\\])*)"$/s.exec(text) ?? [];
  if (inner === undefined) throw invalid("expected a closing quote in the Idempotency-Key header");
  return inner.replaceAll(/\\(["\\])/g, "$1");
}

function invalid(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError("IDEMPOTENCY_KEY_INVALID", message, {
    cause,
    issues: [{ pointer: "/idempotencyKey", message }],
  });
}

const EVENT_STREAM = "text/event-stream";
const JSON_TYPE = "application/json";

/** Whether a client names the event-stream type, and does not prefer JSON. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(EVENT_STREAM)) return false;
  const quality = qualityOf(accept, EVENT_STREAM);
  return quality > 0 && quality >= qualityOf(accept, JSON_TYPE);
}

/** The `q` of a type, 0 to 1. Wildcards do not count: they ask for nothing in particular. */
function qualityOf(accept: string, type: string): number {
  for (const entry of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = entry.split(";").map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
  }
  return 0;
}

/** Longer headers are ignored. */
const HEADER_MAX = 1_024;
const WAIT_MAX_S = 60;

const entries = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;
const waitEntry = /^\s*wait\s*(?:[=;]|$)/i;
const waitValue = /^[^=]*=\s*(?:(\d+)|"(\d+)")\s*(?:;|$)/;

/**
 * Reads `Prefer: wait=N` (RFC 7240).
 *
 * @returns seconds, at most 60; undefined if there is no valid `wait`
 */
export function preferredWaitSeconds(prefer: string | readonly string[] | undefined): number | undefined {
  if (prefer === undefined || prefer.length > HEADER_MAX) return undefined;
  // The first one counts (RFC 7240).
  const entry = String(prefer)
    .match(entries)
    ?.find((text) => waitEntry.test(text));
  const [, bare, quoted = bare] = waitValue.exec(entry ?? "") ?? [];
  return quoted === undefined ? undefined : Math.min(Number(quoted), WAIT_MAX_S);
}

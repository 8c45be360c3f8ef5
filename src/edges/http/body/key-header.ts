import type { IncomingMessage } from "node:http";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { headerValues } from "../../../platform/lib/header-values.ts";

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

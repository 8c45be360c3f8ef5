import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { Agent, type Dispatcher, request } from "undici";

/** The parts of a receiver's answer that matter. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Reads the answer's body within these bounds, so that the receiver does not see a reset connection. */
const BODY_MAX_BYTES = 64 * 1_024;
const BODY_TIMEOUT_MS = 1_000;

/**
 * Posts a body to one of the given addresses, whatever the URL's host name resolves to now. The certificate must still be
 * for that name. Follows no redirects, and ignores proxy variables.
 */
export async function post(
  url: URL,
  addresses: readonly LookupAddress[],
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<Answer> {
  const dispatcher = new Agent({
    connect: { lookup: alwaysTo(addresses), timeout: CONNECT_TIMEOUT_MS },
  });
  try {
    const response = await request(url, { method: "POST", headers, body, signal, dispatcher });
    await discard(response.body);
    return {
      status: response.statusCode,
      retryAfter: first(response.headers["retry-after"]),
      location: first(response.headers.location),
    };
  } finally {
    await dispatcher.destroy();
  }
}

function alwaysTo(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    if (all) callback(null, [...addresses]);
    else callback(null, addresses[0]?.address ?? "", addresses[0]?.family);
  };
}

/** Only the status counts, so errors in the body are ignored. */
async function discard(body: Dispatcher.ResponseData["body"]): Promise<void> {
  await body.dump({ limit: BODY_MAX_BYTES, signal: AbortSignal.timeout(BODY_TIMEOUT_MS) }).catch(() => {});
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

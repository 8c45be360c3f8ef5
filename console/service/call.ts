import { routeUrl } from "./place.ts";
import { readProblem, unreachable } from "./problem.ts";
import { askToSignIn, currentEra } from "./session.ts";

/** The service answers within 2 s; a proxy may need longer. */
const ANSWER_MAX_MS = 15_000;

/**
 * Calls the service, with the session's cookie if there is one.
 *
 * @param path of the route, without a leading slash, e.g. `jobs?limit=1`
 * @throws Problem if there is no answer, or not a successful one
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const era = currentEra();
  const headers = new Headers(init.headers);
  // Proves to the service that the request comes from the console: other sites cannot set it.
  headers.set("X-Holdfast-Console", "1");
  const response = await fetch(routeUrl(path), { ...init, headers, cache: "no-store" }).catch((thrown) => {
    if (init.signal?.aborted === true && init.signal.reason?.name !== "TimeoutError") throw thrown;
    throw unreachable();
  });
  if (response.ok) return response;
  if (response.status === 401) askToSignIn(era);
  throw await readProblem(response);
}

/** Reads JSON. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { signal: inTime(signal) });
  return (await response.json()) as T;
}

/** Sends JSON, or nothing, and reads JSON. */
export async function send<T>(
  path: string,
  body?: unknown,
  more: {
    /** @default "POST" */
    readonly method?: "PUT";
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<T> {
  const response = await request(path, {
    method: more.method ?? "POST",
    headers: { ...(body !== undefined && { "Content-Type": "application/json" }), ...more.headers },
    body: body === undefined ? null : JSON.stringify(body),
    signal: inTime(more.signal),
  });
  return (await response.json()) as T;
}

/** A query string of the values that are not empty. */
export function query(values: Readonly<Record<string, string | number | null | undefined>>): string {
  const given = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return given.length === 0
    ? ""
    : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

function inTime(signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(ANSWER_MAX_MS);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

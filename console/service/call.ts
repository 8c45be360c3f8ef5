import { createClient } from "../../src/edges/client/index.ts";
import { routeUrl } from "./place.ts";
import { readProblem, unreachable } from "./problem.ts";
import { askToSignIn, currentEra } from "./session.ts";

/** What operators see and do. A query decides itself whether to ask again. */
export const service = createClient({
  url: routeUrl("").href,
  isResent: false,
  fetch: (url, init) => signedFetch(String(url), init),
});

/**
 * Calls a route that the client has not, such as a stream.
 *
 * @param path of the route, without a leading slash, e.g. `session`
 * @throws Problem if there is no answer, or not a successful one
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await signedFetch(routeUrl(path).href, init).catch((thrown) => {
    if (init.signal?.aborted === true && init.signal.reason?.name !== "TimeoutError") throw thrown;
    throw unreachable();
  });
  if (response.ok) return response;
  throw await readProblem(response);
}

/** Fetches with the session's cookie if there is one. */
async function signedFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const era = currentEra();
  const headers = new Headers(init.headers);
  // Proves to the service that the request comes from the console: other sites cannot set it.
  headers.set("X-Holdfast-Console", "1");
  const response = await fetch(url, { ...init, headers, cache: "no-store" });
  if (response.status === 401) askToSignIn(era);
  return response;
}

type Values = Readonly<Record<string, string | number | null | undefined>>;

/** A query string of the values that are not empty. */
export function query(values: Values): string {
  const given = Object.entries(withoutEmpty(values)).map(([name, value]) => [name, String(value)]);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

/** Fields of a form that are not empty. */
export function withoutEmpty<Fields extends Values>(fields: Fields): Partial<Fields> {
  const given = Object.entries(fields).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return Object.fromEntries(given) as Partial<Fields>;
}

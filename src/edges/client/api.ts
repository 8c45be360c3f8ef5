import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isoOfDate } from "../../platform/lib/iso-time.ts";
import { apiUnreachable, readAnswer, safeToRepeat } from "./answer.ts";
import { resend } from "./resend.ts";
import { openTimer } from "./timer.ts";

export interface ClientOptions {
  /**
   * The API's address, with any path that a proxy puts before its routes. In a browser it may be a path of the page's own
   * origin: the API answers no other origin. A client of a path can be made anywhere, as a module of a page is also loaded where the page
   * is rendered on a server; its calls fail there.
   *
   * @example "https://jobs.example.com"
   * @example "/holdfast"
   */
  readonly url: string;
  /** An API key. Whoever can read the page can read it: in a browser, prefer a proxy of yours that adds it. @default none */
  readonly key?: string | undefined;
  /** How long a call tries, resends included, in milliseconds. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** Whether what is safe to repeat is sent again. @default true */
  readonly isResent?: boolean | undefined;
  /** Sends requests. @default the platform's `fetch` */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** A request to one route. */
export interface Call {
  /** With query. */
  readonly path: string;
  /** @default "GET" */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  /** JSON text. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** How long the API is asked to wait before it answers, in milliseconds. @default 0 */
  readonly waitMs?: number;
  /** Whether it has an idempotency key, so that it may be sent again. @default false */
  readonly isKeyed?: boolean;
}

/** @throws HoldfastError unless the answer is a success */
type Read = (response: Response) => Promise<unknown>;

/** The API, as the client's calls use it. */
export interface ApiCalls {
  readonly timeoutMs: number;
  /** Sends it. The answer may be a problem. @throws HoldfastError `API_UNREACHABLE`; the signal's reason if that is aborted */
  fetch(call: Call): Promise<Response>;
  /** Sends it once, and reads the answer. @param limitMs how long it may take; never longer than the API does */
  once<Answer>(call: Call, limitMs?: number, read?: Read): Promise<Answer>;
  /** Sends it again after a failure that may pass, until the time is up. */
  again<Answer>(call: Call): Promise<Answer>;
}

/** The API answers within 2 s, after a request that may arrive for 10 s. */
export const ANSWER_MAX_MS = 12_000;
const TIMEOUT_MS = 30_000;

/** Without options there is no address: `baseOf` says what is expected. */
export function openApi(options: ClientOptions): ApiCalls {
  const { url, key, timeoutMs = TIMEOUT_MS, isResent = true, fetch } = options ?? {};
  const base = baseOf(url);

  async function send({ path, method = "GET", body, headers, signal }: Call): Promise<Response> {
    const init = {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      // A redirected POST becomes a GET, whose answer would look like a success.
      redirect: "manual",
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    } as const;
    if (fetch === undefined && !isAddress(base)) throw withoutOrigin(base);
    return await (fetch ?? globalThis.fetch)(`${base}${path}`, init).catch((cause: unknown) => {
      if (signal?.aborted === true) throw signal.reason;
      throw apiUnreachable(`no answer from ${base}${path}`, { cause });
    });
  }

  async function once<Answer>(call: Call, limitMs = Infinity, read: Read = readAnswer): Promise<Answer> {
    const timer = openTimer(call.signal);
    timer.set(Math.min(limitMs, ANSWER_MAX_MS + (call.waitMs ?? 0)));
    try {
      return (await read(await send({ ...call, signal: timer.signal }))) as Answer;
    } catch (thrown) {
      // Errors after an abort are its consequences.
      const reason: unknown = timer.signal.aborted ? timer.signal.reason : thrown;
      throw call.isKeyed === true ? safeToRepeat(reason) : reason;
    } finally {
      timer.end();
    }
  }

  return {
    timeoutMs,
    fetch: send,
    once,
    again: (call) =>
      isResent
        ? resend((leftMs) => once(call, leftMs), {
            timeoutMs: timeoutMs + (call.waitMs ?? 0),
            signal: call.signal,
          })
        : once(call),
  };
}

/** @throws HoldfastError `CONFIG_INVALID` for an address that no request can be sent to */
function baseOf(url: unknown): string {
  const text = String(url);
  const base = text.replace(/\/+$/, "");
  // What is around knows where a path is: a page, or a `fetch` of the caller's.
  if (text[0] === "/" || isAddress(base)) return base;
  throw new HoldfastError("CONFIG_INVALID", 'url: expected an address such as "https://jobs.example.com"');
}

function withoutOrigin(path: string): HoldfastError {
  const message = `url: a path such as "${path || "/"}" belongs to a page's origin: on a server, give the whole address`;
  return new HoldfastError("CONFIG_INVALID", message);
}

/** Whether `fetch` accepts it here: only a page has an origin for paths. */
function isAddress(url: string): boolean {
  try {
    return /^https?:/.test(new Request(url).url);
  } catch {
    return false;
  }
}

export function query(
  values: Readonly<Record<string, string | number | boolean | Date | undefined>>,
): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value instanceof Date ? isoText(name, value) : String(value)]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(Object.fromEntries(given))}`;
}

/** The JSON of a body, in which a date is an instant in ISO 8601. @throws HoldfastError `INVALID_REQUEST` for an invalid date */
export function jsonOf(body: object): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name, value: unknown) {
    const given = this[name];
    return given instanceof Date ? isoText(name, given) : value;
  });
}

/** Returns `undefined` only for `undefined`: untyped code can pass anything. @throws HoldfastError `INVALID_REQUEST` for an invalid date */
export function isoOption(name: string, date: Date | undefined): string | undefined {
  return date === undefined ? undefined : isoText(name, date);
}

/** @throws HoldfastError `INVALID_REQUEST` for an invalid date */
export function isoText(name: string, date: Date): string {
  const text = isoOfDate(date);
  if (text !== undefined) return text;
  const issue = { pointer: `/${name}`, message: "expected a valid date" };
  throw new HoldfastError("INVALID_REQUEST", `${issue.pointer}: ${issue.message}`, { issues: [issue] });
}

/** A string of RFC 9651 in UTF-8: each character of a header is one byte. */
export function headerText(text: string): string {
  const bytes = new TextEncoder().encode(`"${text.replaceAll(/["\\]/g, "\\$&")}"`);
  return String.fromCharCode(...bytes);
}

import { gzipSync } from "node:zlib";
import type { HttpExchange } from "../servers/http.ts";
import { type Fault, nowhereFaults, slowFaults } from "./fault.ts";

type HttpFault = Fault<HttpExchange>;

/** It acted, whatever it says then. */
const statuses = [400, 402, 404, 408, 409, 425, 429, 500, 502, 503, 504];

/** Those that say that it refused. */
const refusals = [400, 402, 404, 429];

/** Nobody is there. */
const REDIRECT_TO = "http://127.0.0.1:1020/orders";

export const httpFaults: readonly HttpFault[] = [
  { name: "answers 200", acts: true, isQuick: true, answer: (call) => call.succeed() },
  // Of a connection that breaks, nobody can know how much was read.
  { name: "resets before reading", acts: false },
  { name: "resets after acting", acts: true, isQuick: true, answer: (call) => call.reset() },
  { name: "closes after acting", acts: true, isQuick: true, answer: (call) => call.close() },
  { name: "truncates its answer", acts: true, isQuick: true, answer: (call) => call.truncate() },
  ...statuses.map((status) => ({
    name: `acts, answers ${status}`,
    acts: true,
    isLie: refusals.includes(status),
    isQuick: status === 500 || status === 409,
    answer: (call: HttpExchange) => call.fail(status),
  })),
  ...refusals.map((status) => ({
    name: `refuses with ${status}`,
    acts: false,
    proof: "refused" as const,
    isQuick: status === 402,
    answer: (call: HttpExchange) => call.fail(status, status === 429 ? { "retry-after": "1" } : {}),
  })),
  { name: "answers no HTTP", acts: true, answer: (call) => call.raw("SSH-2.0-OpenSSH_9.9\r\n") },
  { name: "truncates gzip", acts: true, isQuick: true, answer: truncateGzip },
  {
    name: "answers HTML with 200",
    acts: true,
    answer: (call) => call.succeed("<html>Please log in</html>", { "content-type": "text/html" }),
  },
  ...slowFaults<HttpExchange>(),
  ...[303, 307].map((status) => ({
    name: `acts, redirects (${status}) to who refuses`,
    acts: true,
    isQuick: status === 307,
    answer: (call: HttpExchange) => call.fail(status, { location: REDIRECT_TO }),
  })),
  ...nowhereFaults<HttpExchange>(),
  {
    name: "has an untrusted certificate",
    acts: true,
    proof: "never reached",
    nowhere: "untrusted certificate",
    answer: (call) => call.succeed(),
  },
  {
    name: "acts, resets, is then gone",
    acts: true,
    isThenGone: true,
    isQuick: true,
    answer: (call) => call.reset(),
  },
  {
    name: "acts, answers 503, is then gone",
    acts: true,
    isThenGone: true,
    answer: (call) => call.fail(503, { connection: "close" }),
  },
  { name: "over TLS: answers 200", acts: true, isSecure: true, answer: (call) => call.succeed() },
  {
    name: "over TLS: refuses with 402",
    acts: false,
    proof: "refused",
    isSecure: true,
    answer: (call) => call.fail(402),
  },
  { name: "over TLS: breaks after acting", acts: true, isSecure: true, answer: (call) => call.reset() },
  {
    name: "over TLS: acts, breaks, is then gone",
    acts: true,
    isSecure: true,
    isThenGone: true,
    isQuick: true,
    answer: (call) => call.reset(),
  },
  {
    name: "acts on an old connection, resets, is then gone",
    acts: true,
    isWarm: true,
    isThenGone: true,
    isQuick: true,
    answer: (call) => call.reset(),
  },
];

function truncateGzip(call: HttpExchange): void {
  const whole = gzipSync(call.goodBody);
  call.succeed(whole.subarray(0, whole.length - 12), { "content-encoding": "gzip" });
}

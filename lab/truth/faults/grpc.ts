import { constants } from "node:http2";
import type { GrpcExchange } from "../servers/grpc.ts";
import { type Fault, nowhereFaults, slowFaults } from "./fault.ts";

type GrpcFault = Fault<GrpcExchange>;

/** Those that a downstream may use after it acted, and those that say that it refused. */
const unclear = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
};
const refusals = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, PERMISSION_DENIED: 7, UNAUTHENTICATED: 16 };

export const grpcFaults: readonly GrpcFault[] = [
  { name: "answers OK", acts: true, isQuick: true, answer: (call) => call.succeed() },
  // No call is sent before the connection is agreed on.
  { name: "resets the connection", acts: false, proof: "never reached" },
  { name: "resets after acting", acts: true, answer: (call) => call.reset() },
  { name: "closes after acting", acts: true, answer: (call) => call.close() },
  { name: "truncates its answer", acts: true, answer: (call) => call.truncate() },
  ...Object.entries(unclear).map(([name, status]) => ({
    name: `acts, answers ${name}`,
    acts: true,
    answer: (call: GrpcExchange) => call.fail(status),
  })),
  ...Object.entries(refusals).map(([name, status]) => ({
    name: `refuses with ${name}`,
    acts: false,
    proof: "refused" as const,
    answer: (call: GrpcExchange) => call.fail(status),
  })),
  ...[
    "No connection established. Last error: connect ECONNREFUSED",
    "Name resolution failed for target dns:shop",
  ].map((details) => ({
    name: `acts, passes on "${details.slice(0, 15)}…"`,
    acts: true,
    isForShared: true,
    answer: (call: GrpcExchange) => call.fail(unclear.UNAVAILABLE, details),
  })),
  { name: "acts, answers INVALID_ARGUMENT", acts: true, isLie: true, answer: (call) => call.fail(3) },
  { name: "acts, answers HTTP 503", acts: true, answer: (call) => call.http(503) },
  { name: "acts, ends the stream", acts: true, answer: (call) => call.end(constants.NGHTTP2_INTERNAL_ERROR) },
  {
    name: "refuses the stream",
    acts: false,
    proof: "refused",
    answer: (call) => call.end(constants.NGHTTP2_REFUSED_STREAM),
  },
  { name: "acts, says goodbye", acts: true, answer: (call) => call.goodbye() },
  ...slowFaults<GrpcExchange>(),
  ...nowhereFaults<GrpcExchange>(),
  { name: "acts, resets, is then gone", acts: true, isThenGone: true, answer: (call) => call.reset() },
  {
    name: "acts, answers UNAVAILABLE, is then gone",
    acts: true,
    isThenGone: true,
    answer: (call) => call.fail(14),
  },
];

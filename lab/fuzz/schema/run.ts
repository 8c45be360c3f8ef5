import fc from "fast-check";
import { ask } from "../lib/ask.ts";
import { exchange, type Manner } from "../lib/exchange.ts";
import { type Expected, judge } from "../lib/judge.ts";
import { shown } from "../lib/request.ts";
import type { Service } from "../lib/service.ts";
import { count, type Finding, newTally, type Tally } from "../lib/tally.ts";
import { readOperations } from "./openapi.ts";
import { garbageOf, requestsOf } from "./requests.ts";

/** Requests of one operation before the next one's turn. */
const RUNS = 40;

interface Target {
  readonly tally: Tally;
  readonly requests: fc.Arbitrary<Buffer>;
  readonly expected: Expected;
  readonly manner: Manner;
}

/** Takes turns between all operations until the time is up. fast-check shrinks each finding. */
export async function fuzzOperations(
  service: Service,
  seed: number,
  forMs: number,
  findings: Finding[],
): Promise<Tally[]> {
  const operations = await readOperations(service.url);
  const targets: Target[] = [
    ...operations.map((operation) => ({
      tally: newTally("OpenAPI document", `${operation.method} ${operation.path}`),
      requests: requestsOf(operation),
      expected: "no fault" as const,
      manner: {},
    })),
    {
      tally: newTally("OpenAPI document", "noise, and requests damaged on their way"),
      requests: garbageOf(operations),
      expected: "hang-up",
      manner: { halfClose: true },
    },
  ];
  const until = performance.now() + forMs;
  const broken = new Set<Target>();
  for (let round = 0; round === 0 || performance.now() < until; round += 1) {
    for (const target of targets.filter((each) => !broken.has(each))) {
      const finding = await fuzz(service, target, (seed + round) | 0);
      if (finding === undefined) continue;
      findings.push(finding);
      broken.add(target);
    }
  }
  return targets.map(({ tally }) => tally);
}

async function fuzz(service: Service, target: Target, seed: number): Promise<Finding | undefined> {
  const { tally, requests, expected, manner } = target;
  let what = "";
  const property = fc.asyncProperty(requests, async (bytes) => {
    const send = what === "" ? ask : exchange; // shrinking what stays need not wait
    const answer = await send(service.url, bytes, manner);
    const verdict = judge(bytes, answer, expected);
    count(tally, verdict, answer.ms);
    what = verdict.finding ?? what;
    return verdict.finding === undefined;
  });
  const { failed, counterexample } = await fc.check(property, { seed, numRuns: RUNS });
  if (!failed) return undefined;
  const [bytes = Buffer.alloc(0)] = counterexample ?? [];
  return { kind: tally.kind, what: `${what} (seed ${seed})`, request: shown(bytes) };
}

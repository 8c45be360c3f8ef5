import type { Random } from "../../../test/support/random.ts";
import { inLanes } from "../../lib/waiting.ts";
import { ask } from "../lib/ask.ts";
import { judge } from "../lib/judge.ts";
import { shown } from "../lib/request.ts";
import type { Service } from "../lib/service.ts";
import { count, type Finding, newTally, type Tally } from "../lib/tally.ts";
import { groups } from "./index.ts";
import type { Kind } from "./kind.ts";

const LANES = 8;

/** @param variants number of tries for a kind with cost 1 */
export async function tryCatalogue(
  service: Service,
  random: Random,
  variants: number,
  findings: Finding[],
): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const group of groups) {
    process.stdout.write(`Trying ${group.name}: ${group.kinds.length} kinds\n`);
    for (const kind of group.kinds) {
      const tally = newTally(group.name, kind.name);
      tallies.push(tally);
      await tryKind(service, kind, random.fork(`${group.name}/${kind.name}`), variants, tally, findings);
    }
  }
  return tallies;
}

async function tryKind(
  service: Service,
  { name, make, expected = "refusal", manner, cost = 1 }: Kind,
  random: Random,
  variants: number,
  tally: Tally,
  findings: Finding[],
): Promise<void> {
  const before = await service.stored();
  const requests = Array.from({ length: Math.ceil(variants / cost) }, () => random.next() * 2 ** 32);
  await inLanes(requests, LANES, async (seed) => {
    const bytes = make(random.fork(String(seed)));
    const answer = await ask(service.url, bytes, manner);
    const verdict = judge(bytes, answer, expected);
    count(tally, verdict, answer.ms);
    if (verdict.finding !== undefined)
      findings.push({ kind: name, what: verdict.finding, request: shown(bytes) });
  });
  tally.stored = (await service.stored()) - before;
  if (tally.stored !== 0)
    findings.push({ kind: name, what: `${tally.stored} keys were stored`, request: "" });
}

import type { Random } from "../../../test/support/random.ts";
import type { Submission } from "./client.ts";
import type { ActPayload } from "./inside/contracts.ts";

type Injection = NonNullable<ActPayload["inject"]>;

/** Jobs with faults to inject, evenly spread among jobs without, in an order decided by the seed. */
export function actJobs(
  name: string,
  random: Random,
  injections: readonly Injection[],
  plainPerInjection: number,
): Submission[] {
  const jobs: (Injection | undefined)[] = injections.flatMap((inject) => [
    inject,
    ...Array.from({ length: plainPerInjection }, () => undefined),
  ]);
  return shuffled(jobs, random).map((inject, index) => actJob(`${name}-${index}`, random, inject));
}

export function actJob(key: string, random: Random, inject?: Injection): Submission {
  const payload: ActPayload = {
    beforeMs: random.between(0, 20),
    afterMs: random.between(0, 20),
    ...(inject !== undefined && { inject }),
  };
  return { type: "act", idempotencyKey: key, payload };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const ranked = items.map((item) => ({ item, rank: random.next() }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}

/** Each item `times` times. */
export function repeated<T>(items: readonly T[], times: number): T[] {
  return items.flatMap((item) => Array.from({ length: times }, () => item));
}

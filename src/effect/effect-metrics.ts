import type { JobContract } from "../job/define-job.ts";
import { byKnownName, byName, type Metrics } from "../telemetry/metrics.ts";

const transitions = ["reserved", "done", "released", "in_doubt", "settled"] as const;
export type EffectTransition = (typeof transitions)[number];

/** Told of each transition. The effect is named as it is declared, without an index. */
export type CountEffect = (type: string, effect: string, transition: EffectTransition) => void;

/** Counts transitions by type and declared effect. */
export function effectCounter(
  metrics: Metrics,
  jobs: Iterable<Pick<JobContract, "type" | "effects">>,
): CountEffect {
  const counter = metrics.counter("holdfast_effects_total");
  const contracts = new Map([...jobs].map((job) => [job.type, Object.keys(job.effects)]));
  const countersOf = byKnownName(contracts.keys(), (type) =>
    byKnownName(contracts.get(type) ?? [], (effect) =>
      byName(transitions, (transition) => counter.labels(type, effect, transition)),
    ),
  );
  for (const [type, effects] of contracts) for (const effect of effects) countersOf(type)(effect);
  return (type, effect, transition) => countersOf(type)(effect)[transition].inc();
}

/** Without the index, of which there can be any number: names of spans and labels must be few. */
export function declaredName(id: string): string {
  const [name = id] = id.split("/", 1);
  return name;
}

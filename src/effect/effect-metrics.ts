import type { JobContract } from "../job/define-job.ts";
import type { Metrics } from "../telemetry/metrics.ts";

const transitions = ["reserved", "done", "released", "in_doubt", "resolved"] as const;
export type EffectTransition = (typeof transitions)[number];

/** Told of each transition. The effect is named as it is declared, without an index. */
export type CountEffect = (type: string, effect: string, transition: EffectTransition) => void;

/** Counts transitions by type and declared effect. */
export function effectCounter(
  metrics: Metrics,
  jobs: Iterable<Pick<JobContract, "type" | "effects">>,
): CountEffect {
  const counter = metrics.counter("holdfast_effects_total");
  const effectsOf = new Map([...jobs].map((job) => [job.type, new Set(Object.keys(job.effects))]));
  for (const [type, effects] of effectsOf) {
    for (const effect of effects)
      for (const transition of transitions) counter.inc({ type, effect, transition }, 0);
  }
  return (type, effect, transition) => {
    const effects = effectsOf.get(type);
    counter.inc({
      type: effects === undefined ? "other" : type,
      effect: effects?.has(effect) ? effect : "other",
      transition,
    });
  };
}

/** Without the index, of which there can be any number: names of spans and labels must be few. */
export function declaredName(id: string): string {
  const [name = id] = id.split("/", 1);
  return name;
}

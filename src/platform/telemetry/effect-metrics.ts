import type { EffectEventName, Events } from "./events.ts";
import type { Metrics } from "./metrics.ts";

/** The label of each event. */
const transitions: Readonly<Record<EffectEventName, string>> = {
  "effect.reserved": "reserved",
  "effect.done": "done",
  "effect.released": "released",
  "effect.in-doubt": "in_doubt",
  "effect.resolved": "resolved",
};

interface DeclaredEffects {
  readonly type: string;
  readonly effects: Readonly<Record<string, unknown>>;
}

/** Counts transitions by type and declared effect. */
export function measureEffects(events: Events, metrics: Metrics, jobs: Iterable<DeclaredEffects>): void {
  const counter = metrics.counter("holdfast_effects_total");
  const effectsOf = new Map([...jobs].map((job) => [job.type, new Set(Object.keys(job.effects))]));
  for (const [name, transition] of Object.entries(transitions)) {
    for (const [type, effects] of effectsOf)
      for (const effect of effects) counter.inc({ type, effect, transition }, 0);
    events.on(name as EffectEventName, (type: string, effect: string) => {
      const effects = effectsOf.get(type);
      counter.inc({
        type: effects === undefined ? "other" : type,
        effect: effects?.has(effect) ? effect : "other",
        transition,
      });
    });
  }
}

import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { underDeadline } from "../../platform/lib/deadline.ts";
import { foreign, messageOf } from "../../platform/lib/thrown.ts";
import { effectKeyOf } from "../job/dedup-key.ts";
import type { EffectOptions, ProbeAnswer } from "../job/effect.ts";
import type { Resolution } from "../job/resolution.ts";
import { type EffectContext, type EffectRun, emit, inDoubt, resultJson } from "./effect-run.ts";
import { GivenProbeCall } from "./given-call.ts";
import { report } from "./report-effect.ts";

type Probe<T> = NonNullable<EffectOptions<T>["probe"]>;

/**
 * Asks downstream whether an effect in doubt happened, and resolves the doubt with the answer.
 *
 * @throws InDoubtError where there is no probe, or it does not know
 */
export async function askProbe<T>(effect: EffectRun<T>, context: EffectContext): Promise<void> {
  const { id, declaration, options } = effect;
  if (declaration.inDoubt !== "probe" || options.probe === undefined)
    throw inDoubt(id, "an earlier attempt never reported");
  const answer = await callProbe(effect, context, options.probe);
  if (answer === "unknown") throw inDoubt(id, "the probe does not know", { retryable: true });
  const resolution = resolutionOf(answer);
  const resolved = await report(effect, context, () => context.ledger.resolve(id, resolution));
  if (resolved.kind === "resolved") emit(effect, context, "effect.resolved");
  context.log().info({ effect: id, as: resolution.as }, "the probe resolved a doubt");
}

function resolutionOf<T>(answer: Exclude<ProbeAnswer<T>, "unknown">): Resolution {
  // Nobody is there to be asked. The policy's condition covers a run that is still under way.
  const found = { evidence: "the probe's answer", by: "probe", confirm: true };
  return answer === "not-done"
    ? { as: "not-done", ...found }
    : { as: "done", result: resultJson(answer.done), ...found };
}

async function callProbe<T>(
  { id, declaration }: EffectRun<T>,
  { ledger, abort: outer, log, scrub }: EffectContext,
  probe: Probe<T>,
): Promise<ProbeAnswer<T>> {
  const late = () => new HoldfastError("EFFECT_TIMED_OUT", `The probe of effect "${id}" took too long`);
  const key = effectKeyOf(ledger.dedupKey, id);
  try {
    return await underDeadline(outer, declaration.timeoutMs, late, async (abort) => {
      const call = new GivenProbeCall(key, abort);
      return declaredAnswer(await foreign(() => probe(call)));
    });
  } catch (error) {
    log().warn({ effect: id, reason: scrub(messageOf(error)) }, "probe failed");
    return "unknown";
  }
}

/** Untyped probes return anything. An answer that is none of the three declared ones, or cannot be read, proves nothing. */
function declaredAnswer<T>(answer: ProbeAnswer<T>): ProbeAnswer<T> {
  if (answer === "not-done") return answer;
  const isDone = typeof answer === "object" && answer !== null && Object.hasOwn(answer, "done");
  return isDone ? { done: answer.done } : "unknown";
}

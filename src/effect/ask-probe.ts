import { HoldfastError } from "../errors/holdfast-error.ts";
import type { ProbeAnswer } from "../job/effect.ts";
import { foreign, messageOf } from "../lib/thrown.ts";
import { underDeadline } from "../lib/under-deadline.ts";
import { type EffectContext, type EffectRun, emit, GivenProbe, inDoubt, resultJson } from "./effect-run.ts";
import type { Ledger } from "./ledger.ts";
import { report } from "./report-effect.ts";

/**
 * Asks downstream what became of an effect that is in doubt, and resolves the doubt with the answer.
 *
 * @throws InDoubtError where there is no probe, or it cannot tell
 */
export async function askProbe<T>(effect: EffectRun<T>, ledger: Ledger, owner: EffectContext): Promise<void> {
  const { id, key, declaration, options } = effect;
  const { probe } = options;
  if (declaration.inDoubt !== "probe" || probe === undefined)
    throw inDoubt(id, "an earlier attempt was not heard of again");
  const late = () => new HoldfastError("EFFECT_TIMED_OUT", `The probe of effect "${id}" took too long`);
  const answer = await underDeadline(owner.abort, declaration.timeoutMs, late, async (abort) =>
    declaredAnswer(await foreign(() => probe(new GivenProbe(key, abort)))),
  ).catch((error: unknown): ProbeAnswer<T> => {
    owner.log().warn({ effect: id, reason: owner.scrub(messageOf(error)) }, "probe failed");
    return "unknown";
  });
  if (answer === "unknown") throw inDoubt(id, "the probe could not tell", { retryable: true });
  const isDone = answer !== "not-done";
  const resolution = {
    as: isDone ? "done" : "not-done",
    result: isDone ? resultJson(answer.done) : undefined,
    evidence: "the probe's answer",
    by: "probe",
  } as const;
  const resolved = await report(effect, owner, () => ledger.resolve(id, resolution));
  if (resolved.kind === "resolved") emit(effect, owner, "effect.resolved");
  owner.log().info({ effect: id, as: isDone ? "done" : "not-done" }, "doubt settled by probe");
}

/** Untyped probes answer anything; what is none of the three declared answers proves nothing. */
function declaredAnswer<T>(answer: ProbeAnswer<T>): ProbeAnswer<T> {
  if (answer === "not-done") return answer;
  const isDone = typeof answer === "object" && answer !== null && Object.hasOwn(answer, "done");
  return isDone ? answer : "unknown";
}

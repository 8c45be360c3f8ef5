import { randomUUID } from "node:crypto";
import { types } from "node:util";
import { leavesEffect } from "../../evidence/outgoing/own-word.ts";
import { isInside } from "../../evidence/outgoing/scope.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import { textOf } from "../../platform/lib/thrown.ts";
import { redisFault, untilAnswered } from "../../platform/redis/redis-errors.ts";
import type { EffectCall, EffectDeclaration, EffectDeclarations, RunEffect } from "../job/effect.ts";
import { failureOf, formatFailure } from "../job/failure.ts";
import { keyFault } from "../job/idempotency-key.ts";
import { actOnce, effectBusy } from "./act-once.ts";
import {
  type AttemptEnd,
  type EffectContext,
  type EffectOptionsInUse,
  inDoubt,
  insideItself,
  keyOf,
} from "./effect-run.ts";

/** The effects of one attempt. */
export interface Effects {
  readonly effect: RunEffect<string>;
  /** How the attempt must end, even if its handler caught the error: in doubt, busy elsewhere, or not allowed to begin. */
  blocked(): HoldfastError | undefined;
  /** Lets no effect begin any more, and waits for those under way to be reported. */
  close(): Promise<void>;
  /**
   * Blocks the attempt if it, or an earlier one, left an effect open that nobody will report. Called before its job ends.
   *
   * @param fault why the job fails for good otherwise; undefined if it completes
   */
  checkLeftOpen(fault?: unknown): Promise<void>;
}

const INDEX_MAX = 200;

/**
 * @param open called with the first effect: attempts without effects pay nothing
 * @param delivery which delivery of the job this is: before the first, nothing can have been left open
 */
export function openEffects(
  declarations: EffectDeclarations,
  open: () => EffectContext,
  delivery = 1,
): Effects {
  return new AttemptEffects(declarations, open, delivery);
}

class AttemptEffects implements Effects, AttemptEnd {
  readonly isOfJob = true;
  readonly #declarations: EffectDeclarations;
  readonly #open: () => EffectContext;
  readonly #delivery: number;
  #opened: EffectContext | undefined;
  /** By effect and index. */
  readonly #underWay = new Map<string, { readonly reservationId: string; readonly work: Promise<unknown> }>();
  /** Reports that Redis answered with an error; they are sent again. */
  readonly #refused = new Set<Promise<unknown>>();
  #blocked: HoldfastError | undefined;
  #isClosed = false;
  #hasLeftOpen = false;

  constructor(declarations: EffectDeclarations, open: () => EffectContext, delivery: number) {
    this.#declarations = declarations;
    this.#open = open;
    this.#delivery = delivery;
  }

  readonly effect: RunEffect<string> = async <T>(
    name: string,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptionsInUse = {},
  ): Promise<T | undefined> => {
    try {
      const declaration = this.#declared(name, run, options);
      const id = options.index === undefined ? name : `${name}/${options.index}`;
      const first = this.#underWay.get(id);
      if (first !== undefined) {
        if (isInside(first.reservationId)) throw this.#context().job.lease.own(insideItself(id));
        return (await first.work) as T | undefined;
      }
      const attempt = this.#context();
      const reservationId = randomUUID();
      const effect = { id, name, reservationId, declaration, options, run, attempt, end: this };
      const work = actOnce(effect);
      this.#underWay.set(id, { reservationId, work });
      try {
        return (await work) as T | undefined;
      } catch (error) {
        // Before any caller that has joined gets it.
        leavesEffect(error, keyOf(effect));
        throw error;
      } finally {
        this.#underWay.delete(id);
      }
    } catch (error) {
      const { job } = this.#context();
      job.lease.rejected(`effect "${name}"`, job.id, error);
      throw error;
    }
  };

  blocked(): HoldfastError | undefined {
    return this.#blocked;
  }

  block(error: unknown): void {
    const fault = this.#context().job.lease.own(redisFault(error));
    this.#blocked ??= fault;
  }

  waitFor(report: Promise<unknown>): void {
    this.#refused.add(report);
    this.#context().job.lease.endsAfter(report);
  }

  leaveOpen(): void {
    this.#hasLeftOpen = true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#underWay.size > 0)
      await Promise.allSettled([...this.#underWay.values()].map(({ work }) => work));
    if (this.#refused.size > 0) await Promise.allSettled([...this.#refused]);
  }

  async checkLeftOpen(fault?: unknown): Promise<void> {
    // Whatever is declared now: a deploy may have removed what an earlier attempt began.
    if (!this.#hasLeftOpen && this.#delivery <= 1) return;
    const { job, ledger } = this.#context();
    const left = await untilAnswered(() => ledger.leftOpen(job.id, this.#delivery), {
      isLeased: () => job.lease.isLocked(),
    });
    // The doubt outranks what blocked the attempt before.
    if (left.kind === "busy") this.#blocked = effectBusy(left.effect, left);
    if (left.kind === "in-doubt") this.#blocked = this.#leftInDoubt(left.effect, fault);
  }

  #leftInDoubt(id: string, fault: unknown): HoldfastError {
    if (fault !== undefined) {
      const failure = formatFailure(failureOf(fault));
      return inDoubt(id, `no attempt has found out, and the last one failed: ${failure}`, { cause: fault });
    }
    const [name = ""] = id.split("/");
    const mayRepeat = this.#hasLeftOpen && this.#declarations[name]?.inDoubt === "repeat";
    return mayRepeat
      ? inDoubt(id, "its run failed, and its handler went on; the next attempt repeats it", {
          retryable: true,
        })
      : inDoubt(id, "an earlier attempt left it open, and this one did not ask for it");
  }

  #context(): EffectContext {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  #declared(name: string, run: unknown, options: unknown): EffectDeclaration {
    if (this.#isClosed) throw this.#own("LOCK_LOST", `The attempt has ended; effect "${name}" was not begun`);
    const declaration = Object.hasOwn(this.#declarations, name) ? this.#declarations[name] : undefined;
    if (declaration === undefined) throw this.#refusal(this.#undeclared(name));
    const fault = callFault(declaration, run, options);
    if (fault !== undefined) throw this.#refusal(`effect "${name}": ${fault}`);
    return declaration;
  }

  #undeclared(name: string): string {
    const names = Object.keys(this.#declarations);
    const advice = names.length === 0 ? "it declares none" : suggestion(name, names);
    return `The job declares no effect "${name}"; ${advice}`;
  }

  /** The handler calls an effect as it must not. Its own class would be an effect's word. */
  #refusal(message: string): HoldfastError {
    return this.#own("PERMANENT_FAILURE", message);
  }

  #own(code: ErrorCode, message: string): HoldfastError {
    return this.#context().job.lease.own(new HoldfastError(code, message));
  }
}

/** @param run may be anything, as the options may, where untyped code gives them */
export function callFault(
  { inDoubt }: EffectDeclaration,
  run: unknown,
  options: unknown,
): string | undefined {
  // A doubt about nothing would follow.
  if (typeof run !== "function") return `run: expected a function, got ${textOf(run)}`;
  // Nothing of it would run, and what it returns would be its result.
  if (types.isGeneratorFunction(run))
    return "run: expected a function that returns a promise, got a generator";
  if (typeof options !== "object" || options === null)
    return `options: expected an object, got ${textOf(options)}`;
  const { index, probe }: { readonly index?: unknown; readonly probe?: unknown } = options;
  const fault = index === undefined ? undefined : indexFault(index);
  if (fault !== undefined) return `index: ${fault}`;
  // Without it nothing could resolve a doubt, and the declaration would be a lie.
  if (inDoubt !== "probe" || typeof probe === "function") return undefined;
  return `probe: expected a function, since the effect is declared "probe", got ${textOf(probe)}`;
}

function indexFault(index: unknown): string | undefined {
  if (typeof index !== "string") return `expected a string, got ${textOf(index)}`;
  return index.length > INDEX_MAX ? `expected at most ${INDEX_MAX} characters` : keyFault(index);
}

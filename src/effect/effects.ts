import { randomUUID } from "node:crypto";
import type { ErrorCode } from "../errors/error-codes.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { effectKeyOf } from "../job/dedup-key.ts";
import type { EffectCall, EffectDeclarations, RunEffect } from "../job/effect.ts";
import { keyFault } from "../job/idempotency-key.ts";
import { redisFault } from "../redis/redis-errors.ts";
import { untilAnswered } from "../redis/until-answered.ts";
import { actOnce, effectBusy } from "./act-once.ts";
import { type EffectContext, type EffectOptionsInUse, inDoubt } from "./effect-run.ts";
import { isInside, withName } from "./inside.ts";
import type { Ledger } from "./ledger.ts";

/** The effects of one attempt. */
export interface Effects {
  readonly effect: RunEffect<string>;
  /** What must become of the attempt, even if its handler swallowed it: in doubt, busy elsewhere, or not allowed to begin. */
  blocked(): HoldfastError | undefined;
  /** Ends it: no effect can begin any more, and what was under way has been written down. */
  close(): Promise<void>;
  /**
   * Looks, before the attempt completes, whether an earlier one has begun an effect that this one did not ask for, and of
   * which nobody knows what became of it. Such an attempt is blocked.
   */
  checkLeftOpen(): Promise<void>;
}

const INDEX_MAX = 200;

/** Random for each process, counted within it: random bytes for each call showed in profiles. */
const processNonce = randomUUID();
let calls = 0;

function newNonce(): string {
  calls += 1;
  return `${processNonce}/${calls}`;
}

/**
 * @param open called with the first effect: many attempts have none, and owe nothing for it
 * @param start which start of the job this is: the first has none before it that could have left anything open
 */
export function openEffects(
  declarations: EffectDeclarations,
  open: () => { readonly ledger: Ledger; readonly owner: EffectContext },
  start = 1,
): Effects {
  let opened: ReturnType<typeof open> | undefined;
  /** By effect and index. */
  const underWay = new Map<string, { readonly nonce: string; readonly work: Promise<unknown> }>();
  /** Reports that Redis answered with an error, and that are sent again. */
  const refused = new Set<Promise<unknown>>();
  let blocked: HoldfastError | undefined;
  let isClosed = false;

  const block = (error: unknown) => {
    blocked ??= asHoldfastError(error);
  };

  async function effect<T>(
    name: string,
    run: (call: EffectCall) => Promise<T>,
    options: EffectOptionsInUse<T> = {},
  ): Promise<T | undefined> {
    if (isClosed)
      throw new HoldfastError("LOCK_LOST", `The attempt has ended; effect "${name}" was not begun`);
    const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined;
    if (declaration === undefined)
      throw new HoldfastError("PERMANENT_FAILURE", `The job declares no effect "${name}"`);
    const id = effectId(name, options.index);
    const first = underWay.get(id);
    if (first !== undefined) {
      if (isInside(first.nonce))
        throw new HoldfastError("PERMANENT_FAILURE", `Effect "${id}" is called from inside itself`);
      return (await first.work) as T | undefined;
    }
    opened ??= open();
    const { ledger, owner } = opened;
    const nonce = newNonce();
    const work = actOnce<T>(
      {
        id,
        name,
        key: effectKeyOf(owner.dedupKey, id),
        nonce,
        declaration,
        options,
        run: withName(nonce, run),
        block,
        onRefused: (report) => void refused.add(report),
      },
      ledger,
      owner,
    ).catch((error: unknown) => {
      if (isBlocking(error)) block(error);
      throw error;
    });
    underWay.set(id, { nonce, work });
    return await work.finally(() => underWay.delete(id));
  }

  return {
    effect,
    blocked: () => blocked,
    async close() {
      isClosed = true;
      if (underWay.size > 0) await Promise.allSettled([...underWay.values()].map(({ work }) => work));
      if (refused.size > 0) await Promise.allSettled([...refused]);
    },
    async checkLeftOpen() {
      if (start === 1 || Object.keys(declarations).length === 0) return;
      opened ??= open();
      const { ledger, owner } = opened;
      const left = await untilAnswered(() => ledger.leftOpen({ id: owner.jobId, start }), {
        isLeased: owner.mayReport,
      });
      if (left.kind === "busy") block(effectBusy(left.effect, left));
      if (left.kind === "in-doubt")
        block(
          inDoubt(left.effect, "an earlier attempt was not heard of again, and this one did not ask for it"),
        );
    },
  };
}

function asHoldfastError(error: unknown): HoldfastError {
  return error instanceof HoldfastError ? error : redisFault(error);
}

const blocking: ReadonlySet<ErrorCode> = new Set(["EFFECT_IN_DOUBT", "EFFECT_BUSY", "STORE_ROLLED_BACK"]);

function isBlocking(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && blocking.has(error.code);
}

function effectId(name: string, index: string | undefined): string {
  if (index === undefined) return name;
  const fault = index.length > INDEX_MAX ? `expected at most ${INDEX_MAX} characters` : keyFault(index);
  if (fault !== undefined) throw new HoldfastError("PERMANENT_FAILURE", `effect "${name}": index: ${fault}`);
  return `${name}/${index}`;
}

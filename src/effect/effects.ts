import { randomUUID } from "node:crypto";
import { effectKeyOf } from "../contract/claim.ts";
import type { EffectCall, EffectDeclarations, RunEffect } from "../contract/effect.ts";
import { keyFault } from "../contract/idempotency-key.ts";
import type { ErrorCode } from "../errors/error-codes.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { actOnce, type EffectOptionsInUse, type EffectOwner } from "./act-once.ts";
import type { Ledger } from "./ledger.ts";

/** The effects of one attempt. */
export interface Effects {
  readonly effect: RunEffect<string>;
  /** What must become of the attempt, even if its handler swallowed it: in doubt, busy elsewhere, or not allowed to begin. */
  blocked(): HoldfastError | undefined;
  /** Ends it: no effect can begin any more, and what was under way has been written down. */
  close(): Promise<void>;
}

const INDEX_MAX = 200;

/** Random for each process, counted within it: random bytes for each call showed in profiles. */
const processNonce = randomUUID();
let calls = 0;

function newNonce(): string {
  calls += 1;
  return `${processNonce}/${calls}`;
}

/** @param open called with the first effect: many attempts have none, and owe nothing for it */
export function openEffects(
  declarations: EffectDeclarations,
  open: () => { readonly ledger: Ledger; readonly owner: EffectOwner },
): Effects {
  let opened: ReturnType<typeof open> | undefined;
  const pending = new Set<Promise<unknown>>();
  let blocked: HoldfastError | undefined;
  let isClosed = false;

  const block = (error: HoldfastError) => {
    blocked ??= error;
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
    opened ??= open();
    const { ledger, owner } = opened;
    const key = effectKeyOf(owner.claim, id);
    const work = actOnce(
      { id, name, key, nonce: newNonce(), declaration, options, run, onUnrecorded: block },
      ledger,
      owner,
    );
    pending.add(work);
    try {
      return await work;
    } catch (error) {
      if (isBlocking(error)) block(error);
      throw error;
    } finally {
      pending.delete(work);
    }
  }

  return {
    effect,
    blocked: () => blocked,
    async close() {
      isClosed = true;
      if (pending.size > 0) await Promise.allSettled(pending);
    },
  };
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

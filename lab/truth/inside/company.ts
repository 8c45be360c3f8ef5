import { setTimeout as sleep } from "node:timers/promises";
import type { RunEffect } from "../../../src/core/job/effect.ts";
import type { Context, Order } from "../faults/company.ts";
import { inContext } from "./contexts.ts";
import { NotDoneError, SnoozeError } from "./holdfast.ts";

type Effect = RunEffect<string>;

/** Whether each call is made in that context, or the one that acts alone. */
export interface HandOver {
  readonly context: Context;
  readonly isOtherHandedOver: boolean;
}

/** What one effect does. */
interface Parts {
  /** The call that acts. */
  act(): Promise<unknown>;
  /** The call that fails. */
  other(): Promise<unknown>;
  readonly effect: Effect;
  readonly joined: Joined;
}

const nothing = () => {};
const UNDER_WAY_MS = 150;

/** An effect of the same job that a second caller joins: it fails once that one has. */
export class Joined {
  join: () => void = nothing;
  readonly #isJoined = new Promise<void>((resolve) => {
    this.join = resolve;
  });

  begin(effect: Effect): void {
    const fail = async () => {
      await this.#isJoined;
      throw new NotDoneError("sold out");
    };
    effect("inner", fail).catch(nothing);
  }
}

/** What is before the effect: the joined one begins, or the first attempt leaves the probed one in doubt. */
export async function prepare(order: Order, attempt: number, effect: Effect, joined: Joined): Promise<void> {
  if (order === "joined") joined.begin(effect);
  if (order === "snoozed" && attempt === 1) await effect("probed", lose, { probe: snooze });
}

export async function inCompany(
  order: Order,
  { context, isOtherHandedOver }: HandOver,
  parts: Parts,
): Promise<unknown> {
  const { act, effect, joined } = parts;
  const acting = () => inContext[context](act);
  const other = () => (isOtherHandedOver ? inContext[context](parts.other) : parts.other());
  switch (order) {
    case "before":
      await acting().catch(nothing);
      return await other();
    case "beside":
      acting().catch(nothing);
      // Work that still waits in memory has left no trace.
      if (context !== "own") await sleep(UNDER_WAY_MS);
      return await other();
    case "after":
      return await other().catch(async (error: unknown) => {
        await acting().catch(nothing);
        throw error;
      });
    case "inner":
      await act();
      return await effect("inner", async () => {
        throw new NotDoneError("sold out");
      });
    case "joined": {
      await act();
      const inner = effect("inner", lose);
      joined.join();
      return await inner;
    }
    case "snoozed":
      await act();
      return await effect("probed", lose, { probe: snooze });
  }
}

async function lose(): Promise<never> {
  throw new Error("the answer was lost");
}

async function snooze(): Promise<never> {
  throw new SnoozeError(1);
}

/** One setting or state of Redis that the guarantees rest on. */
export interface RedisCheck {
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
  /** Whether it cannot be read, and an operator states it. */
  readonly isStated?: true;
  /** Whether Redis itself, or `WAIT`, refuses each write while it does not hold. */
  readonly isEnforced?: true;
  /** Whether a promise is given up that `HOLDFAST_DURABILITY` names. */
  readonly isAccepted?: true;
  /** What can happen otherwise. */
  readonly risk: string;
  readonly remedy: string;
}

/** What stands for a value that Redis keeps to itself. */
export const UNSAID = "(Redis does not say)";

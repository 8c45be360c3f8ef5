import type { StandaloneOperator } from "holdfast";
import { patiently } from "./inside/patiently.ts";
import type { Testbed } from "./testbed.ts";

/** Connects an operator, past any proxy, also while a master is replaced, uses it, and always stops it. */
export async function withOperator<T>(
  { installation, env, store }: Testbed,
  use: (operator: StandaloneOperator) => Promise<T>,
): Promise<T> {
  const { application, createOperator } = await installation.library();
  const operator = await patiently(() => createOperator(application, { ...env, REDIS_URL: store.url }));
  try {
    return await use(operator);
  } finally {
    await operator.stop();
  }
}

/** The code of an operator's refusal; `done` without one. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
}

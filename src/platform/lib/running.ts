/** A long-lived part: it was started, and can be stopped. */
export interface Running {
  /** Safe to call twice: the second call waits for the first. */
  stop(): Promise<void>;
  /** Rejects when it can no longer work, and its process should end. Absent where that cannot happen. */
  readonly failed?: Promise<never>;
}

/** Makes a stop function that runs once, however often it is called. */
export function stopOnce(stop: () => Promise<void>): Running["stop"] {
  let stopping: Promise<void> | undefined;
  return () => {
    stopping ??= stop();
    return stopping;
  };
}

/** Waits for the next step of a start. If it fails, what has started is stopped first, so that nothing stays open. */
export async function orStop<T>(started: Pick<Running, "stop">, step: T | Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** Stops parts one after the other, the last started first; all are stopped even if one fails. */
export async function stopAll(parts: readonly Partial<Running>[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of [...parts].reverse()) {
    await part.stop?.().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

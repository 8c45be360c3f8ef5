import { HoldfastError } from "holdfast";
import { trace } from "./trace.ts";

/** Traces the effect's outcome, even if nobody else can see it, as in a paused worker. */
export async function traced(jobId: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : "OTHER";
    const cause = error instanceof Error && error.cause instanceof HoldfastError ? error.cause.code : "-";
    const isLate = error instanceof Error && error.message.includes("reported it done after");
    trace("threw", jobId, `${code}/${isLate ? "LATE" : cause}`);
    throw error;
  }
}

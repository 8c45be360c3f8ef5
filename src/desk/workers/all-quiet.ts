import type { QueueOverview } from "../overview/overview.ts";

type Workers = Pick<QueueOverview, "workers" | "quietWorkers">;

/** Whether workers are alive, and each of them was told to claim no more jobs. */
export function areAllQuiet({ workers, quietWorkers }: Workers): boolean {
  return workers > 0 && quietWorkers === workers;
}

/** @example "1 of 2 workers quiet"; "" where none is */
export function quietText({ workers, quietWorkers }: Workers): string {
  if (quietWorkers === 0) return "";
  return areAllQuiet({ workers, quietWorkers })
    ? "all workers quiet"
    : `${quietWorkers} of ${workers} workers quiet`;
}

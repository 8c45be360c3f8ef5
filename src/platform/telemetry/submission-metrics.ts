import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Events } from "./events.ts";
import { closedSet, type Metrics } from "./metrics.ts";

const outcomes = [
  "accepted",
  "duplicate",
  "refused",
  "key_reused",
  "store_full",
  "store_unavailable",
  "store_rolled_back",
  "store_unfit",
  "clock_wrong",
  "failed",
] as const;

/** Counts submissions by type and outcome. */
export function measureSubmissions(events: Events, metrics: Metrics, types: readonly string[]): void {
  const submissions = metrics.tally("holdfast_submissions_total");
  const typeLabel = closedSet(types);
  for (const type of types) for (const outcome of outcomes) submissions([type, outcome], 0);
  const count = (type: string, outcome: (typeof outcomes)[number]) => submissions([typeLabel(type), outcome]);
  events.on("job.submitted", ({ type, duplicate }) => count(type, duplicate ? "duplicate" : "accepted"));
  events.on("submission.refused", (input, error) => count(typeIn(input), outcomeOf(error)));
}

function typeIn(input: unknown): string {
  if (typeof input !== "object" || input === null || !("type" in input)) return "";
  return typeof input.type === "string" ? input.type : "";
}

function outcomeOf(error: unknown): (typeof outcomes)[number] {
  if (!(error instanceof HoldfastError)) return "failed";
  if (error.code === "IDEMPOTENCY_KEY_REUSED") return "key_reused";
  if (error.code === "STORE_FULL") return "store_full";
  if (error.code === "STORE_UNAVAILABLE") return "store_unavailable";
  if (error.code === "STORE_ROLLED_BACK") return "store_rolled_back";
  if (error.code === "STORE_UNFIT") return "store_unfit";
  if (error.code === "CLOCK_WRONG") return "clock_wrong";
  return error.httpStatus < 500 ? "refused" : "failed";
}

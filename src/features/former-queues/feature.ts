import type { Feature } from "../../core/feature.ts";
import { openTrailAdder } from "./dedup-trail.ts";
import { findFormerEntry } from "./former-ledger.ts";
import { openQueueMemory, requireKnownQueues } from "./queue-memory.ts";

/** Keys and effects of a type that has moved from another queue, or whose queue was divided. */
export const formerQueues: Feature = {
  name: "former-queues",
  openAdder: openTrailAdder,
  openPrelude: openQueueMemory,
  findFormerEntry,
  requireFit: requireKnownQueues,
};

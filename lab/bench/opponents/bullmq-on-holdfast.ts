// BullMQ's own worker on jobs that Holdfast enqueued.
import type { Work } from "../lib/inside/contestant.ts";
import { workWith } from "./bullmq.ts";

export { open } from "../holdfast.ts";

export const work: Work = (url, options) =>
  workWith(url, options, async () => {}, { name: "{default}", prefix: "holdfast" });

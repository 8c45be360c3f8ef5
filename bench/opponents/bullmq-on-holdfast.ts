// BullMQ's own worker on the jobs that Holdfast has enqueued.
import type { Work } from "../lib/inside/contestant.ts";
import { workWith } from "./bullmq.ts";

export { open } from "../holdfast.ts";

export const work: Work = (url, options) =>
  workWith(url, options, async () => {}, { name: "{default}", prefix: "holdfast" });

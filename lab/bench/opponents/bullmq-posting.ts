// BullMQ's worker, which sends one request for each job.
import type { Work } from "../lib/inside/contestant.ts";
import { postEmail } from "../lib/inside/post-email.ts";
import { workWith } from "./bullmq.ts";

export { open } from "./bullmq.ts";

export const work: Work = (url, options) =>
  workWith(url, options, (_id, name) => postEmail(name === "refused-email" ? "/refusing" : "/jobs"));

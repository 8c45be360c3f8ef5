import { z } from "zod";
import { noticeKinds } from "./feature.ts";

/**
 * `began`; `grew`: there are more of them; `lasts`: a day later; `over`; `passed`: it was over before anybody could be told; `test`: somebody
 * tries the receivers.
 */
export const noticeStages = ["began", "grew", "lasts", "over", "passed", "test"] as const;
export type NoticeStage = (typeof noticeStages)[number];

/** One thing that somebody is told. */
export const noticeSchema = z.strictObject({
  id: z.string().meta({ description: "The same however often it is delivered." }),
  application: z.string().meta({ description: "`HOLDFAST_PREFIX`." }),
  kind: z.enum([...noticeKinds, "test"]),
  subject: z.string().meta({ description: "What it is about: a queue, a job type, a guarantee." }),
  stage: z.enum(noticeStages),
  count: z.int().meta({ description: "How many: effects, jobs, workers, rows." }),
  since: z.iso.datetime(),
  at: z.iso.datetime().meta({ description: "When it was noticed." }),
  title: z.string(),
  text: z.string().meta({ description: "What it means, and what to do." }),
  link: z.string().nullable().meta({ description: "To the console; null without `consoleUrl`." }),
  sentBy: z.string().nullable().meta({
    description:
      "Null for a notice that a worker delivers. Otherwise the API that sent it itself, once, because Redis took no job or no worker delivers: other APIs may have sent the same.",
  }),
});
export type Notice = Readonly<z.output<typeof noticeSchema>>;

/** Where it is sent by an API itself, it says so. */
export function noticeText({ text, sentBy }: Notice): string {
  if (sentBy === null) return text;
  return `${text}\nSent once by the API ${sentBy} itself, because Redis took no job, or no worker delivers. Another API may have sent the same.`;
}

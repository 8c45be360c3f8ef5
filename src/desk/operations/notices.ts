import { z } from "zod";
import { noticesSchema } from "../notices/notice-operator.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";

const querySchema = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .meta({ description: "How many of the notices that were sent." }),
});
const testSchema = z
  .strictObject({
    receiver: z.string().max(64).optional().meta({ description: "Only this one. Without it: all." }),
  })
  .meta({ examples: [{ receiver: "chat" }] });

export const noticeOperations = {
  notices: read({
    id: "listNotices",
    path: "/notices",
    summary: "See who is told what",
    input: querySchema,
    answer: {
      text: "What is told to whom, what needs a person now, and what was sent.",
      schema: noticesSchema.meta({ [COMPONENT_NAME]: "Notices" }),
    },
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    positional: ["limit"],
    run: ({ notices }, { input: { limit } }) => notices.read(limit),
  }),
  testNotices: change({
    id: "testNotices",
    method: "POST",
    path: "/notices/test",
    summary: "Send a test to the receivers of notices",
    description: "A worker delivers it, as each notice. Whether it got there says `GET /notices`.",
    input: testSchema,
    answer: z
      .object({ sent: z.array(z.object({ id: z.string(), receiver: z.string() })) })
      .describe("A job for each receiver."),
    errors: ["INVALID_REQUEST", "RECEIVER_NOT_FOUND", "STORE_UNAVAILABLE", "STORE_FULL"],
    returns: "sent",
    run: async ({ notices }, { input: { receiver }, by }) => ({ sent: await notices.test(receiver, { by }) }),
  }),
};

import { z } from "zod";

const DAY_MS = 24 * 60 * 60_000;
const YEAR_MS = 366 * DAY_MS;

const key = z.string().meta({
  description: "1 to 255 characters, for each effect its own. The same key is never run twice.",
});

export const reserveSchema = z
  .strictObject({
    key,
    reservationId: z.uuid().optional().meta({
      description:
        "A UUID of the caller's own, new for each run: with the same one a request can be sent again whose answer was lost.",
    }),
    content: z.unknown().optional().meta({
      description: "What goes with the key. The same key with other content is refused.",
    }),
    timeoutMs: z.int().min(1).max(DAY_MS).meta({
      description:
        "How long the run may take, from before this request was sent. Whoever has not committed a second later is in doubt.",
    }),
    downstreamRemembersMs: z.int().min(1).max(YEAR_MS).optional().meta({
      description:
        "For how long downstream recognises the effect's key, from the first run on: until then a doubt may be run again. By default it is held.",
    }),
    rememberMs: z.int().min(1_000).max(YEAR_MS).optional().meta({
      description: "For how long the key is remembered from its end. By default HOLDFAST_RETENTION_MS.",
    }),
    by: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: "Who asks, shown with a doubt behind the API key's name." }),
    about: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .meta({ description: "What it is about, shown with a doubt." }),
    process: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: "Which process runs it, shown with a doubt. By default the caller's." }),
  })
  .meta({
    examples: [
      {
        key: "order-17",
        reservationId: "2f1f6f0e-0b3f-4f5e-9d3c-6f1f0f7f4c11",
        content: { cents: 500 },
        timeoutMs: 10_000,
      },
    ],
  });

const reason = z.string().min(1).max(2_000);
const runShape = {
  key,
  fence: z.int().min(1).meta({ description: "As the reservation was answered." }),
};
export const commitSchema = z.strictObject({
  ...runShape,
  result: z.unknown().optional().meta({ description: "What later calls get, at most 16 KiB as JSON." }),
  isResultKept: z.boolean().optional().meta({
    description: "False where the run has a result that is not JSON: later calls learn that it is not kept.",
  }),
});
export const releaseSchema = z.strictObject({
  ...runShape,
  reason: reason
    .optional()
    .meta({ description: "How it is known that nothing happened, for the API's log." }),
});
export const doubtBodySchema = z.strictObject({
  ...runShape,
  reason: reason.meta({ description: "Why nobody can know whether it happened." }),
  isOver: z.boolean().default(false).meta({
    description: 'Whether nothing of the run acts any more. Otherwise "not done" must be confirmed.',
  }),
});

const callShape = {
  id: z.string().meta({ description: "The id of the call, by which a doubt is resolved." }),
  effectKey: z.string().meta({ description: "Pass it downstream as idempotency key: the same in each run." }),
  installation: z.string().meta({ description: "HOLDFAST_PREFIX." }),
};
export const reservedSchema = z.object({
  state: z.literal("reserved"),
  ...callShape,
  fence: z.int().meta({ description: "Of this run, which says it in its report; grows with each run." }),
  deadline: z.iso
    .datetime()
    .meta({ description: "When `timeoutMs` is over, by Redis's clock. Begin nothing after it." }),
});
export const doneBeforeSchema = z.object({
  state: z.literal("done"),
  ...callShape,
  result: z.unknown().meta({
    description: "Null where none is kept, and where a person resolved a doubt as done without one.",
  }),
  isResultKept: z.boolean().meta({
    description: "False where its run had a result that could not be kept: nobody can have it any more.",
  }),
});
export const committedSchema = z.object({
  state: z.literal("done"),
  isResultKept: z.boolean().meta({
    description:
      "Whether later calls get this result. False where it was larger than 16 KiB, and where an earlier report had another one: the effect is done all the same.",
  }),
});

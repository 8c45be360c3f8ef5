import { z } from "zod";
import type { Receipt } from "../../core/job/submit-options.ts";
import { type All, features, type ListedFeature } from "../../features/index.ts";

type ReceiptMembers = All<Extract<ListedFeature, { readonly receipt: z.core.$ZodShape }>["receipt"]>;

const ofFeatures = Object.assign({}, ...features.map(({ receipt }) => receipt)) as ReceiptMembers;

export const receiptSchema = z.object({
  id: z.string().meta({ examples: ["default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f"] }),
  type: z.string().meta({ examples: ["welcome-email"] }),
  idempotencyKey: z.string().meta({ examples: ["signup-42"] }),
  duplicate: z.boolean(),
  ...ofFeatures,
  statusUrl: z.string().meta({ examples: ["/jobs/default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f/status"] }),
});

export type ReceiptBody = z.output<typeof receiptSchema>;

export function receiptBody(receipt: Receipt): ReceiptBody {
  const { id, type, idempotencyKey, duplicate, ...replacing } = receipt;
  return { id, type, idempotencyKey, duplicate, ...replacing, statusUrl: `/jobs/${id}/status` };
}

/** 202: accepted now; 200: accepted before. */
export function receiptStatus({ duplicate }: Pick<Receipt, "duplicate">): 200 | 202 {
  return duplicate ? 200 : 202;
}

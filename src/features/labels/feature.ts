import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { jobFilterMember } from "../../core/status/filter-member.ts";
import { calledForPayload, payloadRefused, shown } from "../payload-key.ts";

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    label?: string | undefined;
  }
}

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$/;
const EXPECTED = "1 to 64 letters, digits and . _ : @ / -, the first a letter or digit";

/** What people call a key, e.g. `customer:42`. */
const labelSchema = z.string().regex(LABEL, `expected ${EXPECTED}`);

interface Labelled {
  readonly member: string;
  readonly label: (payload: unknown) => unknown;
}

const labelled = new WeakMap<JobContract, Labelled | undefined>();

/** The first member of a contract that labels its key; most contracts have none. */
function labelledMember(contract: JobContract): Labelled | undefined {
  if (labelled.has(contract)) return labelled.get(contract);
  const found = Object.entries(contract).flatMap(([member, declared]: [string, unknown]) => {
    const label =
      typeof declared === "object" && declared !== null ? Reflect.get(declared, "label") : undefined;
    return typeof label === "function"
      ? [{ member, label: (payload: unknown): unknown => label(payload) }]
      : [];
  });
  labelled.set(contract, found[0]);
  return found[0];
}

/** @throws HoldfastError `INVALID_PAYLOAD` if the function throws, or returns no label */
function labelOf({ member, label }: Labelled, payload: unknown): string {
  const text = calledForPayload(`${member}.label`, () => label(payload));
  if (typeof text === "string" && LABEL.test(text)) return text;
  throw payloadRefused(`${member}.label: expected to return ${EXPECTED}, got ${shown(text)}`);
}

/** @internal What people call the key of a job's fairness, concurrency or rate. */
export const labels = {
  name: "labels",
  partOf(contract, payload) {
    const declared = labelledMember(contract);
    if (declared === undefined) return undefined;
    const label = labelOf(declared, payload);
    return { travel: () => ({ extras: {}, stored: { label } }) };
  },
  lines: ({ label }) => [["key's label", label ?? null]],
  columns: [["label", ({ label }) => label ?? null]],
  filters: {
    label: jobFilterMember(
      labelSchema.optional().meta({ description: "Whose key has this label.", examples: ["customer:42"] }),
      {
        matches: (job, label) => job.label === label,
        text: (label) => `of the key ${label}`,
        option: {
          flags: "--label <label>",
          help: "only jobs whose key has this label",
          expected: EXPECTED,
          label: "Label",
        },
      },
    ),
  },
  status: {
    name: "labels",
    members: {
      label: z.string().optional().meta({ description: "Of its key, where its contract labels that." }),
    },
    of: (_, { label }) => (typeof label === "string" ? { label } : {}),
  },
} as const satisfies Feature;

import { z } from "zod";
import { strayPointers } from "../../core/define/stray-pointers.ts";
import type { Feature } from "../../core/feature.ts";
import type { KeyedHash } from "../../core/job/dedup-key.ts";
import { type PointerInto, replaceAt, stepsOf } from "../../core/job/redaction.ts";
import { jobFilterMember } from "../../core/status/filter-member.ts";
import { payloadRefused, shown } from "../payload-key.ts";

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * What people find a job by that is in its payload, as JSON pointers, at most 20; a step `*` is every member or element. They lead to
     * texts of at most 255 characters, or to numbers, at most 100 of them in one payload; others are refused. A job is found by the whole
     * value, in upper or lower case, with or without spaces around it. Only hashes are stored, keyed with a secret.
     *
     * @default none
     * @example ["/email", "/lines/*\/sku"]
     */
    readonly search?: readonly PointerInto<Payload>[];
  }
  interface ContractDeclarations<Payload> {
    readonly search: readonly string[] | undefined;
  }
}

const FIELDS_MAX = 20;
const VALUES_MAX = 100;
const TEXT_MAX = 255;
/** 80 bits: two values that share a hash would find each other's jobs. */
const DIGITS = 20;

/** What people mean by the same value: one form of each letter, no spaces around it, no upper case. */
function normalised(text: string): string {
  return text.normalize("NFKC").trim().toLowerCase();
}

function hashOf(hash: KeyedHash, value: string): string {
  return hash("search", value, DIGITS);
}

/** @throws HoldfastError `INVALID_PAYLOAD` where a pointer leads to what cannot be found */
function textAt(pointer: string, value: unknown): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && text.length <= TEXT_MAX) return normalised(text);
  const expected = `expected a text of at most ${TEXT_MAX} characters, or a number`;
  throw payloadRefused(`search: ${pointer}: ${expected}, got ${shown(value)}`);
}

/** The values by which a job is found, each once. */
function valuesIn(payload: unknown, pointers: readonly string[]): string[] {
  const values = new Set<string>();
  for (const pointer of pointers) {
    replaceAt(payload, stepsOf(pointer), (value) => {
      values.add(textAt(pointer, value));
      return value;
    });
  }
  values.delete("");
  if (values.size <= VALUES_MAX) return [...values];
  throw payloadRefused(`search: expected at most ${VALUES_MAX} values, got ${values.size}`);
}

const EXPECTED = `1 to ${TEXT_MAX} characters, not spaces alone`;

/** @internal What people find a job by that is in its payload. */
export const search = {
  name: "search",
  ofJob: { search: { accepts: z.array(z.string()).max(FIELDS_MAX) } },
  faultsOf: ({ jobs }) =>
    jobs.flatMap(({ type, payload, search: pointers = [] }) =>
      strayPointers(payload, "output", pointers).map(
        (pointer) =>
          `job "${type}": search: expected a pointer into the schema of the payload, got "${pointer}"`,
      ),
    ),
  partOf({ search: pointers }, payload) {
    if (pointers === undefined) return undefined;
    const values = valuesIn(payload, pointers);
    if (values.length === 0) return undefined;
    return {
      travel(hash) {
        const hashes = values.map((value) => hashOf(hash, value));
        return { extras: { search: hashes }, stored: { search: hashes } };
      },
    };
  },
  inWorker: () => import("./in-worker.ts"),
  filters: {
    search: jobFilterMember(
      z
        .string()
        .max(TEXT_MAX)
        .refine((text) => normalised(text) !== "", `expected ${EXPECTED}`)
        .optional()
        .meta({
          description:
            "The whole value of a field that their contract makes searchable, in upper or lower case.",
          examples: ["ada@example.com"],
        }),
      {
        text: (value) => `with the value ${JSON.stringify(value)}`,
        option: {
          flags: "--search <value>",
          help: "only jobs with this value in a field that their contract makes searchable",
          expected: EXPECTED,
          label: "Search",
        },
        index: async (value, hash) => `search:${hashOf(await hash(), normalised(value))}`,
      },
    ),
  },
} as const satisfies Feature;

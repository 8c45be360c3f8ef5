import { z } from "zod";
import { nameSchema, repeated } from "../../core/define/declaration.ts";
import { parseRate } from "../../core/define/queue-settings.ts";
import type { Feature } from "../../core/feature.ts";

declare module "../../core/job/declarations.ts" {
  interface ApplicationDeclarations {
    /**
     * Who is told what needs a person, and that it is over.
     *
     * @default nobody
     * @example { receivers: [{ name: "chat", slack: "SLACK_URL" }] }
     */
    readonly notices?: Notices | undefined;
  }
}

/**
 * What is told. `doubt`: effects are in doubt. `failures`: jobs of a type fail for good, more than `failures` allows. `worker-lost`: a
 * worker died, or is cut off. `late`: a queue's oldest job waits longer than `lateMs`. `parked`: the outbox has rows that cannot be
 * accepted. `data-lost`: Redis came back with less than it had acknowledged. `guarantee`: one no longer holds. `redis`: an API cannot reach
 * Redis.
 */
export const noticeKinds = [
  "doubt",
  "failures",
  "worker-lost",
  "late",
  "parked",
  "data-lost",
  "guarantee",
  "redis",
] as const;
export type NoticeKind = (typeof noticeKinds)[number];

interface ReceiverBase {
  /** 1 to 64 lower-case letters, digits and dashes, starting with a letter. */
  readonly name: string;
  /** What it is told. @default all kinds */
  readonly kinds?: readonly NoticeKind[];
}

/** Who is told. URLs and secrets are in environment variables, which each API and each worker has; here are their names. */
export type NoticeReceiver = ReceiverBase &
  (
    | {
        /** The variable with a URL that gets JSON, signed as Standard Webhooks. @example "ON_CALL_URL" */
        readonly webhook: string;
        /** The variable with the secret: `whsec_` and 24 to 64 bytes in base64. @example "ON_CALL_SECRET" */
        readonly secret: string;
      }
    | {
        /** The variable with the URL of an incoming webhook of Slack, or of what reads its format. @example "SLACK_URL" */
        readonly slack: string;
      }
    | {
        /** A mail address. It is sent through `SMTP_URL`, by the package `nodemailer`. @example "ops@example.com" */
        readonly mail: string;
        /** The sender. @example "Holdfast <holdfast@example.com>" */
        readonly from: string;
      }
  );

export interface Notices {
  /** At least one. */
  readonly receivers: readonly NoticeReceiver[];
  /** Where people reach the console, for links. @default no links @example "https://jobs.example.com/console" */
  readonly consoleUrl?: string;
  /**
   * From how many jobs of one type on that fail for good in a time, whole minutes up to an hour, somebody is told. Cancelled jobs and
   * those in doubt do not count.
   *
   * @default "10/5m"
   */
  readonly failures?: string;
  /** How long a queue's oldest job may wait, in milliseconds, a second to 30 days. @default 600_000 (ten minutes) */
  readonly lateMs?: number;
  /**
   * The length of a time bucket in milliseconds, a second to a day: in each, at most one notice about one thing, however often it comes
   * and goes or grows.
   *
   * @default 300_000 (five minutes)
   */
  readonly bucketMs?: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const variableName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,99}$/, "expected the name of an environment variable, such as ON_CALL_URL");
const base = { name: nameSchema, kinds: z.array(z.enum(noticeKinds)).min(1).optional() };

const receiverSchema = z.union(
  [
    z.strictObject({ ...base, webhook: variableName, secret: variableName }),
    z.strictObject({ ...base, slack: variableName }),
    z.strictObject({
      ...base,
      mail: z.string().regex(/^[^\s@<>]{1,64}@[^\s@<>]{1,189}$/, "expected a mail address"),
      from: z.string().min(3).max(300),
    }),
  ],
  {
    error:
      "expected name, and either webhook and secret, or slack, or mail and from; webhook, secret and slack are names of environment variables, such as ON_CALL_URL",
  },
);

function isRateOfMinutes(text: string): boolean {
  const { perMs = 0 } = parseRate(text) ?? {};
  return perMs >= MINUTE_MS && perMs <= HOUR_MS && perMs % MINUTE_MS === 0;
}

const noticesSchema = z.strictObject({
  receivers: z.array(receiverSchema).min(1),
  consoleUrl: z.url({ protocol: /^https?$/ }).optional(),
  failures: z
    .string()
    .refine(isRateOfMinutes, 'expected a number and whole minutes up to an hour, such as "10/5m"')
    .optional(),
  lateMs: z
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .optional(),
  bucketMs: z.int().min(1_000).max(DAY_MS).optional(),
});

/** @internal Who is told what needs a person. */
export const notices: Feature = {
  name: "notices",
  ofApplication: { notices: {} },
  faultsOf({ notices }) {
    if (notices === undefined) return [];
    const { error } = noticesSchema.safeParse(notices);
    if (error !== undefined)
      return error.issues.map(({ path, message }) => `${["notices", ...path].join(".")}: ${message}`);
    return repeated(notices.receivers.map(({ name }) => name)).map(
      (name) => `notices: receiver "${name}": declared twice`,
    );
  },
};

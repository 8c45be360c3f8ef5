import type { EffectContext, EffectRun } from "../effect-run.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** The settings that switch a client's retries off, by its user agent. */
const SETTINGS: readonly (readonly [agent: RegExp, setting: string])[] = [
  [/^stripe\//i, "stripe: { maxNetworkRetries: 0 }; a closed connection it sends again all the same"],
  [/aws-sdk-(js|nodejs)/i, "AWS SDK: { maxAttempts: 1 }"],
  [/^openai/i, "openai: { maxRetries: 0 }"],
  [/anthropic/i, "@anthropic-ai/sdk: { maxRetries: 0 }"],
  [/^got/i, "got: { retry: { limit: 0 } }"],
  [/octokit/i, "octokit: { retry: { enabled: false } }"],
];

/** Effects that were warned of, by type and name. */
const warned = new Set<string>();
const WARNED_MAX = 10_000;

/** Warns, once for each effect and process, of a client that sends the same request again by itself. */
export function warnOfRetries<T>(
  { name }: EffectRun<T>,
  { job, log }: EffectContext,
  record: OutgoingRecord,
): void {
  const again = record.mostRepeated();
  const effect = `${job.type}/${name}`;
  if (again === undefined || warned.has(effect) || warned.size === WARNED_MAX) return;
  warned.add(effect);
  const setting = SETTINGS.find(([agent]) => agent.test(again.agent ?? ""))?.[1];
  log().warn(
    { effect: name, requests: again.times, ...(setting !== undefined && { setting }) },
    `the client sent ${again.times} requests in one call of effect "${name}": switch its retries off`,
  );
}

import { z } from "zod";

/** Settings of Redis that an operator states, by name. */
export type StatedSettings = ReadonlyMap<string, string>;

/** The settings that the guarantees rest on. */
export const requiredSettings = [
  "maxmemory-policy",
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "min-replicas-to-write",
  "min-replicas-max-lag",
] as const;

const ENTRY = new RegExp(`^(${requiredSettings.join("|")})=([a-z0-9-]{1,30})$`);

/** `NAME=VALUE`, comma-separated. */
export const statedSettings = z
  .string()
  .transform((text) => text.split(",").map((entry) => ENTRY.exec(entry.trim())))
  .refine((entries) => entries.every((entry) => entry !== null))
  .transform(
    (entries): StatedSettings => new Map(entries.map((entry) => [entry?.[1] ?? "", entry?.[2] ?? ""])),
  )
  .default(new Map());

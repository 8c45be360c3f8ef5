/** The names of the keys that belong to no queue. */

/** The secret that keys content fingerprints. */
export function fingerprintSecretKey(prefix: string): string {
  return `${prefix}:fingerprint-secret`;
}

/** The queues that each job type was submitted to. */
export function queueMemoryKey(prefix: string): string {
  return `${prefix}:queues`;
}

/** When schedules are or were paused, by whom and why. */
export function schedulePausesKey(prefix: string): string {
  return `${prefix}:schedule-pauses`;
}

/** Running schedulers, by when each was seen. */
export function schedulersKey(prefix: string): string {
  return `${prefix}:schedulers`;
}

/** Which ticks of a schedule were decided, where its jobs must not overlap. */
export function scheduleOverlapKey(prefix: string, name: string): string {
  return `${prefix}:schedule-overlap:${name}`;
}

/** How much an API key has used of one of its limits. One API key, one slot: its limits are counted together. */
export function allowanceKey(prefix: string, name: string, limit: string): string {
  return `${prefix}:used:{${name}}:${limit}`;
}

/** Which encryption keys are in use, and which each process has. One slot. */
export function encryptionKeys(prefix: string) {
  const start = `${prefix}:{encryption}`;
  return { inUse: `${start}:in-use`, processes: `${start}:processes`, seen: `${start}:seen` };
}

import { useSyncExternalStore } from "react";

const TICK_MS = 1_000;
/** A smaller difference may come from a slow connection. */
const TOLERATED_MS = 3_000;

let aheadMs = 0;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** Ages go by the service's clock, because this machine's may be wrong. */
export function setServiceTime(at: string): void {
  const differenceMs = Date.parse(at) - Date.now();
  aheadMs = Math.abs(differenceMs) > TOLERATED_MS ? differenceMs : 0;
}

/** Now by the service's clock, ISO 8601. */
export function serviceNow(): string {
  return new Date(Date.now() + aheadMs).toISOString();
}

/** The service's time in milliseconds since 1970, updated every second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) start();
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

function start(): void {
  now = Date.now() + aheadMs;
  timer = setInterval(() => {
    now = Date.now() + aheadMs;
    for (const listener of listeners) listener();
  }, TICK_MS);
}

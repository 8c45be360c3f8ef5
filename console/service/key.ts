import { useSyncExternalStore } from "react";

/** What the console knows about the API key that the service wants. */
export interface KeyState {
  readonly key: string | null;
  /** `needed`: the service wants one. `refused`: it does not know the one it was shown. */
  readonly asked: "needed" | "refused" | null;
}

const STORED_AS = "holdfast-api-key";

let state: KeyState = { key: sessionStorage.getItem(STORED_AS), asked: null };
const listeners = new Set<() => void>();

function change(next: KeyState): void {
  state = next;
  for (const listener of listeners) listener();
}

/** The key to show to the service. It is kept until the tab is closed. */
export function currentKey(): string | null {
  return state.key;
}

export function useKeyState(): KeyState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

export function takeKey(key: string): void {
  sessionStorage.setItem(STORED_AS, key);
  change({ key, asked: null });
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORED_AS);
  change({ key: null, asked: "needed" });
}

/** @param shown the key that was refused; an answer to a key that was replaced meanwhile says nothing about the new one */
export function askForKey(shown: string | null): void {
  if (shown !== state.key) return;
  change({ key: shown, asked: shown === null ? "needed" : "refused" });
}

import { useSyncExternalStore } from "react";
import type { Caller, Scope } from "./answers.ts";

/** Who is signed in. The console never keeps the key itself; the session is in a cookie that no script can read. */
export interface SessionState {
  /** Null until the service has answered. */
  readonly caller: Caller | null;
  /** Whether the service asks for a key. */
  readonly isAsked: boolean;
  /** Changes with every sign-in and sign-out, so that older answers can be ignored. */
  readonly era: number;
}

let state: SessionState = { caller: null, isAsked: false, era: 0 };
const listeners = new Set<() => void>();

export function changeSession(changes: Partial<SessionState>): void {
  state = { ...state, ...changes };
  for (const listener of listeners) listener();
}

export function useSession(): SessionState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/** Whether to offer what needs this scope. The service decides; until the caller is known, everything is offered. */
export function useMay(scope: Scope): boolean {
  const { caller } = useSession();
  return caller === null || caller.scopes.includes(scope);
}

export function currentEra(): number {
  return state.era;
}

/** @param era of the refused request; ignored if somebody has signed in since */
export function askToSignIn(era: number): void {
  if (era === state.era) changeSession({ caller: null, isAsked: true });
}

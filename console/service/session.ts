import { useSyncExternalStore } from "react";
import type { Caller, Scope } from "./answers.ts";

/** What the console knows of who sits before it. The key itself it never keeps: a cookie that no script can read stands for it. */
export interface SessionState {
  /** Null until the service has told it. */
  readonly caller: Caller | null;
  /** Whether the service wants a key before it tells more. */
  readonly isAsked: boolean;
  /** Another number after each signing in and out: what was asked for before says nothing about now. */
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

/** Whether to offer what needs this scope. The service decides; until it has told who asks, everything is offered. */
export function useMay(scope: Scope): boolean {
  const { caller } = useSession();
  return caller === null || caller.scopes.includes(scope);
}

export function currentEra(): number {
  return state.era;
}

/** @param era of the request that was refused; an answer from before a signing in says nothing about after */
export function askToSignIn(era: number): void {
  if (era === state.era) changeSession({ caller: null, isAsked: true });
}

import type { Caller } from "./answers.ts";
import { request } from "./call.ts";
import { Problem } from "./problem.ts";
import { changeSession, currentEra } from "./session.ts";

/** Asks the service who it takes us for. */
export async function loadSession(): Promise<void> {
  const era = currentEra();
  const response = await request("session").catch(() => null); // the refusal itself asks to sign in
  if (response !== null && era === currentEra()) changeSession({ caller: (await response.json()) as Caller });
}

/**
 * Opens a session for the holder of a key.
 *
 * @returns false where the service does not know the key
 * @throws Problem
 */
export async function signIn(key: string): Promise<boolean> {
  try {
    const response = await request("session", {
      method: "POST",
      headers: { Authorization: `Bearer ${key}` },
    });
    changeSession({ caller: (await response.json()) as Caller, isAsked: false, era: currentEra() + 1 });
    return true;
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.status === 401) return false;
    throw thrown;
  }
}

/** @throws Problem: then the session is still open */
export async function signOut(): Promise<void> {
  await request("session", { method: "DELETE" });
  changeSession({ caller: null, isAsked: true, era: currentEra() + 1 });
}

import type { Caller } from "./answers.ts";
import { request } from "./call.ts";
import { Problem } from "./problem.ts";
import { changeSession, currentEra } from "./session.ts";

/** Reads who is signed in. */
export async function loadSession(): Promise<void> {
  const era = currentEra();
  const response = await request("session").catch(() => null); // `request` handles a 401
  if (response !== null && era === currentEra()) changeSession({ caller: (await response.json()) as Caller });
}

/**
 * Opens a session.
 *
 * @returns false if the service does not know the key
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

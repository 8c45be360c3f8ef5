import { useState } from "react";

/** What a window was opened with, whatever becomes of it meanwhile. */
export function useSeen<T>(now: T, isOpen: boolean): T {
  const [seen, see] = useState<{ readonly value: T }>();
  if (isOpen && seen === undefined) see({ value: now });
  if (!isOpen && seen !== undefined) see(undefined);
  return seen === undefined ? now : seen.value;
}

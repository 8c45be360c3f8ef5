import { useSyncExternalStore } from "react";

/** Whether a media query matches now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}

/** On narrower screens tables become lists of cards. */
export const NARROW = "(max-width: 47.99rem)";
export const DARK = "(prefers-color-scheme: dark)";

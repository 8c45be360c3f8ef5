import { useEffect, useState } from "react";

const HELD_SECONDS = 5;

interface Held<What> {
  /** For how many seconds yet; undefined where nothing is held. */
  readonly left: number | undefined;
  hold(what: What): void;
  undo(): void;
}

/**
 * Holds in the page what a person has confirmed, for five seconds in which it can be undone. Nothing is sent before, so the service
 * needs to undo nothing: whoever closes the page has undone it.
 *
 * @param send the same function each time
 */
export function useHeld<What>(send: (what: What) => void): Held<What> {
  const [held, setHeld] = useState<{ readonly what: What; readonly left: number }>();
  useEffect(() => {
    if (held === undefined) return;
    const timer = setTimeout(() => {
      if (held.left > 1) return setHeld({ ...held, left: held.left - 1 });
      setHeld(undefined);
      send(held.what);
    }, 1_000);
    return () => clearTimeout(timer);
  }, [held, send]);
  return {
    left: held?.left,
    hold: (what) => setHeld({ what, left: HELD_SECONDS }),
    undo: () => setHeld(undefined),
  };
}

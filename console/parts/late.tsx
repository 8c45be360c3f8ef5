import { useEffect, useRef } from "react";
import { asProblem, mayBeDone } from "../service/problem.ts";
import { useNotice } from "./notice.tsx";
import { ProblemNote } from "./states.tsx";

/** Said of an act without a clear answer. */
const UNKNOWN = "It may or may not have been done: look before you do it again.";

/** Why an act failed, in its window. */
export function ActProblem({ thrown }: { readonly thrown: unknown }) {
  return <ProblemNote thrown={thrown}>{mayBeDone(thrown) && <p>{UNKNOWN}</p>}</ProblemNote>;
}

/** An answer can come after its window was closed, or its page left: then there is nothing to close, and a notice says what failed. */
export interface Late {
  readonly isLeft: () => boolean;
  /** Says it if the window is gone. @returns whether it did */
  readonly tell: (thrown: unknown) => boolean;
}

/** @param act what was asked, as the window's title says it */
export function useLate(act: string): Late {
  const notice = useNotice();
  const left = useRef(false);
  useEffect(() => {
    left.current = false;
    return () => {
      left.current = true;
    };
  }, []);
  return {
    isLeft: () => left.current,
    tell(thrown) {
      if (!left.current) return false;
      const { title, message } = asProblem(thrown);
      notice(`${act} ${[title, message, mayBeDone(thrown) ? UNKNOWN : ""].filter(Boolean).join(". ")}`);
      return true;
    },
  };
}

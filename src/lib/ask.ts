import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "./deadline.ts";

/** One end of the channel between a process and one that it started: `process` here, the child there. */
export interface Peer {
  send?(message: object): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

interface Question {
  readonly ask: string;
  readonly id: number;
}

interface Answer {
  readonly answerTo: string;
  readonly id: number;
  readonly text: string;
}

let asked = 0;

/**
 * Asks the process at the other end.
 *
 * @throws HoldfastError `INTERNAL` when no answer comes within `ms`
 */
export async function ask(peer: Peer, what: string, ms: number): Promise<string> {
  asked += 1;
  const id = asked;
  let hear = (_message: unknown) => {};
  const answer = new Promise<string>((resolve) => {
    hear = (message) => {
      const { answerTo, id: of, text = "" } = message as Partial<Answer>;
      if (answerTo === what && of === id) resolve(text);
    };
  });
  peer.on("message", hear);
  try {
    peer.send?.({ ask: what, id } satisfies Question);
    return await withDeadline(answer, ms, () => new HoldfastError("INTERNAL", `No answer about ${what}`));
  } finally {
    peer.off("message", hear);
  }
}

/** Answers one question of the process at the other end, from now on. */
export function answer(peer: Peer, what: string, tell: () => Promise<string>): void {
  peer.on("message", (message) => {
    const { ask: asked, id = 0 } = message as Partial<Question>;
    if (asked !== what) return;
    void tell().then(
      (text) => peer.send?.({ answerTo: what, id, text } satisfies Answer),
      () => {}, // who asked has a deadline
    );
  });
}

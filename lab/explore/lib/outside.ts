import { InDoubtError, NotDoneError } from "../../../src/evidence/attempt-errors.ts";
import type { Answer, Request } from "./world.ts";
import { world } from "./world.ts";

/** One thing that the outside has done. */
export interface Act {
  readonly key: string;
  readonly by: string;
}

/**
 * What the effects act on: it counts what was done. By default it knows no keys, so whatever comes twice is done twice.
 */
export class Outside {
  /** Whether it does nothing for a key that it knows. */
  readonly #remembersKeys: boolean;
  acts: Act[] = [];
  /** Whether a handler that asks only once has been called. */
  hasBegun = false;
  /** It refuses fences below the one with which it was asked last. */
  #fence = 0;

  constructor({ remembersKeys = false } = {}) {
    this.#remembersKeys = remembersKeys;
  }

  begin(): void {
    this.acts = [];
    this.hasBegun = false;
    this.#fence = 0;
  }

  /** Called by an effect's function. */
  act(key: string, fence: number): Promise<unknown> {
    return this.#request(`the outside: ${key}`, (by) => this.#done({ key, by }, fence));
  }

  /** Called by an effect's probe. */
  ask(key: string, fence: number): Promise<"not-done" | { done: unknown }> {
    return this.#request(`the outside, asked: ${key}`, () => {
      this.#fence = Math.max(this.#fence, fence + 1);
      const reply = this.timesOf(key) > 0 ? { done: { receipt: key } } : "not-done";
      return { reply, text: JSON.stringify(reply) };
    }) as Promise<"not-done" | { done: unknown }>;
  }

  #request(what: string, answer: (by: string) => Answer): Promise<unknown> {
    const actor = world.current;
    if (actor === undefined) throw new Error("an effect of nobody");
    return new Promise((resolve, reject) => {
      const request: Request = {
        actor,
        line: {},
        what,
        perform: async () => answer(actor.name),
        settle: (given) => ("error" in given ? reject(given.error) : resolve(given.reply)),
      };
      actor.requests.push(request);
    });
  }

  #done(act: Act, fence: number): Answer {
    if (fence < this.#fence) return refusal();
    if (!this.#remembersKeys || this.timesOf(act.key) === 0) this.acts.push(act);
    return { reply: { receipt: act.key }, text: "done" };
  }

  /** For a state's key. */
  place(): string {
    return [this.#fence, this.hasBegun, ...this.acts.map(({ key }) => key).sort()].join(" ");
  }

  timesOf(key: string): number {
    return this.acts.filter((act) => act.key === key).length;
  }
}

export function isOutside({ what }: Request): boolean {
  return what.startsWith("the outside");
}

/** What an effect's function throws where no answer came: it cannot know. */
export function noAnswer(): Answer {
  return { error: new InDoubtError("no answer came") };
}

/** What it throws where the outside has refused, which proves that nothing happened. */
export function refusal(): Answer {
  return { error: new NotDoneError("refused") };
}

import { InDoubtError, NotDoneError } from "../../../src/evidence/attempt-errors.ts";
import { type Answer, type Request, world } from "./world.ts";

/**
 * What the effects act on: it counts what was done. By default it knows no keys, so whatever comes twice is done twice.
 */
export class Outside {
  /** Whether it does nothing for a key that it knows. */
  readonly #remembersKeys: boolean;
  #acts = new Map<string, number>();
  /** Whether a handler has done what it does only once. */
  hasBegun = false;
  /** It refuses fences below the one with which it was asked last. */
  #fence = 0;

  constructor(remembersKeys = false) {
    this.#remembersKeys = remembersKeys;
  }

  begin(): void {
    this.#acts.clear();
    this.hasBegun = false;
    this.#fence = 0;
  }

  /** Called by an effect's function. */
  act(key: string, fence: number): Promise<unknown> {
    return this.#request(`the outside: ${key}`, () => this.#done(key, fence));
  }

  /** Called by an effect's probe. */
  ask(key: string, fence: number): Promise<"not-done" | { done: unknown }> {
    return this.#request(`the outside, asked: ${key}`, () => {
      this.#fence = Math.max(this.#fence, fence + 1);
      const reply = this.timesOf(key) > 0 ? { done: { receipt: key } } : "not-done";
      return { reply, text: JSON.stringify(reply) };
    }) as Promise<"not-done" | { done: unknown }>;
  }

  #request(what: string, answer: () => Answer): Promise<unknown> {
    const actor = world.current;
    if (actor === undefined) throw new Error("an effect of nobody");
    return new Promise((resolve, reject) => {
      const settle = (given: Answer) => ("error" in given ? reject(given.error) : resolve(given.reply));
      actor.requests.push({ actor, line: {}, what, perform: async () => answer(), settle });
    });
  }

  #done(key: string, fence: number): Answer {
    if (fence < this.#fence) return refusal();
    const times = this.timesOf(key);
    if (!this.#remembersKeys || times === 0) this.#acts.set(key, times + 1);
    return { reply: { receipt: key }, text: "done" };
  }

  /** For a state's key. */
  place(): string {
    return JSON.stringify([this.#fence, this.hasBegun, [...this.#acts].sort()]);
  }

  timesOf(key: string): number {
    return this.#acts.get(key) ?? 0;
  }
}

export function isOutside({ what }: Request): boolean {
  return what.startsWith("the outside");
}

export function isProbe({ what }: Request): boolean {
  return what.startsWith("the outside, asked");
}

/** What an effect's function throws where no answer came: it cannot know. */
export function noAnswer(): Answer {
  return { error: new InDoubtError("no answer came") };
}

/** What it throws where the outside has refused, which proves that nothing happened. */
export function refusal(): Answer {
  return { error: new NotDoneError("refused") };
}

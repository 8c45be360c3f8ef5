import { isoTime, TIME_MAX_MS } from "../../platform/lib/iso-time.ts";

/** Shown instead of a text that cannot be read. */
export const UNREADABLE = "[unreadable]";

/**
 * Reads stored values that may be anything: written by an older version, or by hand. An unreadable value is noted and replaced, so
 * that it never keeps a reader from the rest.
 */
export class Reading {
  readonly #unreadable: string[] = [];

  /** The names of what could not be read. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** @returns `otherwise` where reading throws */
  value<T, U>(name: string, read: () => T, otherwise: U): T | U {
    try {
      return read();
    } catch {
      this.#unreadable.push(name);
      return otherwise;
    }
  }

  json(name: string, text: string | null | undefined): unknown {
    return text == null ? null : this.value<unknown, string>(name, () => JSON.parse(text), UNREADABLE);
  }

  /** @param text digits, perhaps with a sign; an absent one counts as `otherwise` */
  int(name: string, text: unknown, otherwise: number): number {
    if (text == null) return otherwise;
    const number = Number(text);
    if (Number.isSafeInteger(number)) return number;
    this.#unreadable.push(name);
    return otherwise;
  }

  /** Milliseconds since 1970 as ISO 8601. */
  time<T>(name: string, ms: unknown, otherwise: T): string | T {
    if (ms == null) return otherwise;
    const number = Number(ms);
    if (number >= 0 && number <= TIME_MAX_MS) return isoTime(number);
    this.#unreadable.push(name);
    return otherwise;
  }
}

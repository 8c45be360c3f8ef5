import { messageOf } from "../../platform/lib/thrown.ts";
import type { HoldfastOperator } from "./connections.ts";

/** In the form of `@nestjs/terminus`. */
export type HoldfastHealthResult<Key extends string> = Record<
  Key,
  { readonly status: "up" } | { readonly status: "down"; readonly message: string }
>;

/** Whether Redis can be reached and keeps what it acknowledges. */
export class HoldfastHealth {
  readonly #operator: Pick<HoldfastOperator, "checkRedis">;

  constructor(operator: Pick<HoldfastOperator, "checkRedis">) {
    this.#operator = operator;
  }

  /**
   * Answers within 2 s, and never throws.
   *
   * @param key the name of the result
   * @example health.check([() => this.holdfast.isHealthy()])
   */
  async isHealthy<const Key extends string = "holdfast">(
    key: Key = "holdfast" as Key,
  ): Promise<HoldfastHealthResult<Key>> {
    const message = (await this.#faults()).join("; ");
    const result = message === "" ? { status: "up" } : { status: "down", message };
    return { [key]: result } as HoldfastHealthResult<Key>;
  }

  async #faults(): Promise<string[]> {
    try {
      const findings = await this.#operator.checkRedis();
      return findings
        .filter(({ verdict }) => verdict === "bad")
        .map(({ name, found, reason }) => `${name}: ${found}: ${reason}`);
    } catch (error) {
      return [messageOf(error)];
    }
  }
}

import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Running } from "../../platform/lib/running.ts";

const OPEN = Symbol("opens the part");

/**
 * A part that is opened by its first call, or by `openPart`. Nest closes nothing of an application that fails to start, so providers must
 * not connect while others may still fail. It is stopped after the HTTP server has closed: its last requests may still submit.
 */
export function openLate<Part extends Running>(connect: () => Promise<Part>): Part {
  let opening: Promise<Part> | undefined;
  let opened: Part | undefined;
  let isStopped = false;

  async function open(): Promise<Part> {
    if (isStopped && opening === undefined) throw stopped();
    opening ??= connect().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    opened = await opening;
    return opened;
  }

  async function stop(): Promise<void> {
    isStopped = true;
    await (await opening?.catch(() => undefined))?.stop();
  }

  /** Once it is open, nothing is between a call and the part. */
  function call(names: readonly PropertyKey[], args: readonly unknown[]): unknown {
    return opened === undefined
      ? open().then((part) => invoke(part, names, args))
      : invoke(opened, names, args);
  }

  function member(names: readonly PropertyKey[]): unknown {
    return new Proxy((...args: readonly unknown[]) => call(names, args), {
      get: (target, name) =>
        Reflect.has(target, name) ? Reflect.get(target, name) : member([...names, name]),
    });
  }

  const own = { stop, onApplicationShutdown: stop, [Symbol.asyncDispose]: stop, [OPEN]: open };
  return new Proxy<object>(own, {
    // Nest asks each provider for its hooks, and `await` for `then`.
    get: (target, name) =>
      Reflect.has(target, name) || typeof name === "symbol" || isNests(name)
        ? Reflect.get(target, name)
        : member([name]),
  }) as Part;
}

/** Opens a part now. What stands in its place in a test stays as it is. */
export async function openPart(part: object): Promise<void> {
  if (OPEN in part && typeof part[OPEN] === "function") await part[OPEN]();
}

function isNests(name: string): boolean {
  return name === "then" || /^(on(Module|Application)|beforeApplication)/.test(name);
}

function invoke(part: object, names: readonly PropertyKey[], args: readonly unknown[]): unknown {
  const owner = names.slice(0, -1).reduce<object>((at, name) => Reflect.get(at, name), part);
  return Reflect.apply(Reflect.get(owner, names.at(-1) ?? ""), owner, args);
}

function stopped(): HoldfastError {
  return new HoldfastError("STORE_UNAVAILABLE", "Holdfast has stopped in this application");
}

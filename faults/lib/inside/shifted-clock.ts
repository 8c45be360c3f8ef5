/**
 * Sets this process's clock wrong, before anything else can read it. Only `Date` tells a program the time of day, so
 * that no library needs to be loaded under it.
 */
const shiftMs = Number(process.env.LAB_CLOCK_SHIFT_MS ?? 0);
/** So often it jumps from ahead to behind and back, in milliseconds; 0: never. */
const jumpEveryMs = Number(process.env.LAB_CLOCK_JUMP_EVERY_MS ?? 0);

/** It is right until the process has run for so long, in milliseconds. */
const rightForMs = Number(process.env.LAB_CLOCK_RIGHT_FOR_MS ?? 0);

const realNow = Date.now;

function now(): number {
  if (performance.now() < rightForMs) return realNow();
  const jumps = jumpEveryMs > 0 ? Math.floor(performance.now() / jumpEveryMs) : 0;
  return realNow() + (jumps % 2 === 0 ? shiftMs : -shiftMs);
}

globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});

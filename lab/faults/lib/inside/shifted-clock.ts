/** Shifts this process's clock. Import it first. Programs read the time of day only from `Date`, so no other module needs patching. */
const shiftMs = Number(process.env.LAB_CLOCK_SHIFT_MS ?? 0);
/** Milliseconds after which the shift changes its sign; 0 for never. */
const jumpEveryMs = Number(process.env.LAB_CLOCK_JUMP_EVERY_MS ?? 0);

/** Whether the clock is right until SIGUSR2. */
let isRight = process.env.LAB_CLOCK_RIGHT === "until SIGUSR2";
if (isRight)
  process.once("SIGUSR2", () => {
    isRight = false;
  });

const realNow = Date.now;

function now(): number {
  if (isRight) return realNow();
  const jumps = jumpEveryMs > 0 ? Math.floor(performance.now() / jumpEveryMs) : 0;
  return realNow() + (jumps % 2 === 0 ? shiftMs : -shiftMs);
}

globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});

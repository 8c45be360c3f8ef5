// Every duration that somebody had to choose, in milliseconds.
const DAY_MS = 24 * 60 * 60 * 1_000;

const ms = (name: string, standard: number) => Number(process.env[name] ?? standard);

export const clocks = {
  /** How long a key is remembered. */
  keyMs: ms("KEY_MS", 7 * DAY_MS),
  /** How long a mail's reservation lasts: longer than all its tries take. */
  reservationMs: ms("RESERVATION_MS", 10 * 60 * 1_000),
  /** How long BullMQ leaves a job to a worker that is silent. */
  lockMs: ms("LOCK_MS", 30_000),
  /** How often a digest is sent. */
  digestMs: ms("DIGEST_MS", DAY_MS),
};

/** How many completed jobs are kept; the oldest go first. */
export const keptJobs = Number(process.env.KEPT_JOBS ?? 10_000);

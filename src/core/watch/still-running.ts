import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { untilAnswered } from "../../platform/redis/redis-errors.ts";
import { okReply } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { Consumed } from "../bullmq/claim/consumer-part.ts";

const script = loadScript(import.meta.url, "still-running.lua", okReply);

/** The runs of one partition's handlers that go on although they were told to stop. */
export interface StillRunning {
  /** How many there are. */
  count(): number;
  /** Called when an attempt was ended, for `reason`, before its handler has returned. The note is sent in front of the job's end. */
  note(job: Pick<ClaimedJob, "id" | "type" | "delivery">, run: Promise<unknown>, reason: unknown): void;
}

/**
 * Notes runs that ignore their signal, so that people see that a cancelled job still does something, and where. An ordinary attempt costs
 * nothing; an error here changes nothing.
 */
export function noteStillRunning({
  store,
  workerName,
  log,
}: Pick<Consumed, "store" | "workerName" | "log">): StillRunning {
  const { client, keys, queue } = store;
  let count = 0;
  const send = ({ id, type, delivery }: Pick<ClaimedJob, "id" | "type" | "delivery">, runs: "1" | "0") =>
    untilAnswered(
      () => script.run(client, [keys.own("still-running")], [id, workerName, delivery, type, runs]),
      { isLeased: () => client.status !== "end" },
    ).catch((error: unknown) =>
      log.debug({ queue, jobId: id, reason: String(error) }, "a run that goes on is not noted"),
    );

  async function follow(job: Parameters<StillRunning["note"]>[0], run: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    const over = run.then(end, end);
    // One that obeyed at once has returned by now.
    await undefined;
    await undefined;
    if (isOver) return;
    count += 1;
    const noted = send(job, "1");
    await over;
    count -= 1;
    await noted;
    await send(job, "0");
  }

  return {
    count: () => count,
    note(job, run, reason) {
      // A worker that stops gives its jobs back, and ends soon.
      const isStopping = reason instanceof HoldfastError && reason.code === "WORKER_STOPPING";
      if (!isStopping) void follow(job, run);
    },
  };
}

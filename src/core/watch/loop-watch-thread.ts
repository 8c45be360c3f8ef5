/** Positions at the start of the shared memory, in words of 32 bits. */
export const header = { beats: 0, isInspected: 1, unnamedMs: 2 } as const;
/** Then a slot for each job: its time-out plus one (0: free), the length of its id, the id. */
export const tableOffset = 64;
export const slotBytes = 256;
export const jobBytes = 248;

interface WatchData {
  readonly memory: SharedArrayBuffer;
  readonly role: string;
  readonly allowedMs: number;
  readonly tickMs: number;
  readonly header: typeof header;
  readonly tableOffset: number;
  readonly slotBytes: number;
  readonly jobBytes: number;
}

/**
 * The thread's code, passed as text: it can use only its data.
 *
 * It counts its own ticks instead of reading a clock: a paused process or a sleeping machine makes none.
 */
export function watchFromThread(): void {
  const { writeSync } = process.getBuiltinModule("node:fs");
  const data = process.getBuiltinModule("node:worker_threads").workerData as WatchData;
  const { memory, header, tableOffset, slotBytes, jobBytes } = data;
  const words = new Int32Array(memory);
  let beats = 0;
  let silentMs = 0;
  setInterval(() => {
    const now = Atomics.load(words, header.beats);
    silentMs = now === beats && Atomics.load(words, header.isInspected) === 0 ? silentMs + data.tickMs : 0;
    beats = now;
    if (silentMs <= data.allowedMs) return;
    const jobs: string[] = [];
    let timeoutMs = Atomics.load(words, header.unnamedMs);
    for (let at = tableOffset; at < memory.byteLength; at += slotBytes) {
      const known = Atomics.load(words, at / 4);
      if (known === 0) continue;
      const length = Atomics.load(words, at / 4 + 1);
      jobs.push(Buffer.from(memory, at + slotBytes - jobBytes, length).toString("latin1"));
      timeoutMs = Math.max(timeoutMs, known - 1);
    }
    if (silentMs <= data.allowedMs + timeoutMs) return;
    const line = {
      level: 60,
      time: new Date().toISOString(),
      role: data.role,
      code: "EVENT_LOOP_BLOCKED",
      silentMs: Math.round(silentMs),
      jobs,
      msg: "the event loop is blocked and nothing else runs; the process ends",
    };
    try {
      writeSync(2, `${JSON.stringify(line)}\n`);
    } finally {
      process.kill(process.pid, "SIGKILL");
    }
  }, data.tickMs);
}

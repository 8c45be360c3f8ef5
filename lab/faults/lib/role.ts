import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endChild } from "../../../test/support/command.ts";
import { type Ready, readiness, startProcess } from "./processes.ts";

/** An unplanned end of a process. */
export interface Death {
  readonly life: string;
  readonly at: number;
}

export interface RoleOptions {
  readonly name: string;
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
  /** Called for each process that was killed, by the laboratory or by its own injected fault. */
  readonly onDeath: (death: Death) => void;
  /** A worker asks for a fault in Redis, and goes on when Redis is dead. */
  readonly onRedisInjection: (onDead: () => void) => Promise<unknown>;
}

/** A role whose process is restarted whenever it dies, as by a supervisor. */
export interface Role {
  readonly name: string;
  /** Names the running process. */
  readonly life: string;
  readonly pid: number;
  /** Of the running process, or of the next one if it ended while it started. */
  ready(): Promise<Ready>;
  signal(signal: NodeJS.Signals): void;
  /**
   * Ends the process with SIGTERM, and starts the next.
   *
   * @param script of another installation, for this and all later processes
   * @returns its exit code
   */
  replace(script?: string): Promise<number | null>;
  /** How many processes it has had. */
  readonly lives: number;
  /** Those that ended by themselves after they were ready, and what they said last. */
  readonly ended: readonly string[];
  /** What the running process has logged. */
  log(): string;
  /** @default SIGKILL */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const RESTART_MS = 20;
const LAST_WORDS_MAX = 1_000;
/** It is restarted until it is: on a busy machine one start after another can find Redis too slow. */
const READY_WITHIN_MS = 180_000;

export function startRole(options: RoleOptions): Role {
  let { script } = options;
  let lives = 0;
  const ended: string[] = [];
  let isEnding = false;
  let isReplacing = false;
  /** It lives for a moment after the signal. */
  let killed: ChildProcess | undefined;
  let current: { child: ChildProcess; life: string; ready: Promise<Ready> } = begin();

  function begin() {
    lives += 1;
    const life = `${options.name}.${lives}`;
    const env = { ...options.env, LAB_LIFE: life };
    const child = startProcess(script, env, logFile(life));
    let isReady = false;
    child.once("exit", (code, signal) => {
      if (signal !== null) options.onDeath({ life, at: Date.now() });
      if (isEnding || isReplacing) return;
      if (signal === null && isReady)
        ended.push(`${life} ended by itself with ${code}: ${logOf(life).slice(-LAST_WORDS_MAX)}`);
      again();
    });
    child.on("message", (message: { inject?: "store" }) => {
      if (message.inject === undefined) return;
      // One that dies at this moment is still connected, and fails to get it: with a callback that is no error of this process.
      const goOn = () => void (child.connected && child.send("injected", () => {}));
      // If a fault was already being injected, nobody reports when Redis is dead. It is back at the latest now.
      options.onRedisInjection(goOn).then(goOn, goOn);
    });
    const ready = readiness(child);
    ready.then(
      () => {
        isReady = true;
      },
      () => {},
    );
    return { child, life, ready };
  }

  function logFile(life: string): string {
    return join(options.directory, "logs", `${life}.log`);
  }

  function logOf(life: string): string {
    return readFileSync(logFile(life), "utf8");
  }

  function again() {
    sleep(RESTART_MS).then(() => {
      if (!isEnding) current = begin();
    });
  }

  return {
    name: options.name,
    get life() {
      return current.life;
    },
    get pid() {
      return current.child.pid ?? 0;
    },
    get lives() {
      return lives;
    },
    ended,
    log: () => logOf(current.life),
    async ready() {
      const giveUpAt = performance.now() + READY_WITHIN_MS;
      for (;;) {
        const { child, ready } = current;
        try {
          const answer = await ready;
          // One that was just killed was ready, too, and its successor has not begun.
          if (isEnding || (isAlive(child) && child !== killed)) return answer;
        } catch (error) {
          if (isEnding || performance.now() > giveUpAt) throw error;
        }
        await sleep(RESTART_MS);
      }
    },
    signal(signal) {
      if (signal === "SIGKILL") killed = current.child;
      current.child.kill(signal);
    },
    async replace(next) {
      isReplacing = true;
      const { child } = current;
      await endChild(child, "SIGTERM");
      isReplacing = false;
      script = next ?? script;
      current = begin();
      return child.exitCode;
    },
    async stop(signal = "SIGKILL") {
      isEnding = true;
      await endChild(current.child, signal);
    },
  };
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

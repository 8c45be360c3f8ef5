import childProcess, { ChildProcess } from "node:child_process";
import dgram from "node:dgram";
import { syncBuiltinESMExports } from "node:module";
import { BroadcastChannel, MessagePort, Worker } from "node:worker_threads";
import { currentRecord } from "./scope.ts";
import { noteUnfollowed } from "./traffic.ts";

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** The ways out that cannot be followed: of these one sees only that they were used. */
export function watchUnfollowed(): void {
  for (const name of ["send", "sendto"]) wrap(dgram.Socket.prototype, name, udpTo);
  const note = (way: string) => () => noteUnfollowed(way, currentRecord());
  const ofProcesses = note("a child process");
  for (const name of ["spawnSync", "execSync", "execFileSync"]) wrap(childProcess, name, ofProcesses);
  const watchChild = (child: unknown) => wrap(child as object, "send", ofProcesses);
  wrap(ChildProcess.prototype, "spawn", ofProcesses, watchChild);
  const handles = activeHandles();
  for (const handle of handles) if (handle instanceof ChildProcess) watchChild(handle);
  for (const pipe of handles.filter(isToChild)) wrap(pipe, "writeUtf8String", ofProcesses);
  const noteSignal = note("a signal to another process");
  // 0 asks whether the process is there.
  wrap(process, "kill", (_self, [, signal]) => signal !== 0 && noteSignal());
  wrap(ChildProcess.prototype, "kill", (_self, [signal]) => signal !== 0 && noteSignal());
  wrap(process, "send", note("a message to another process"));
  watchThreads(note("a message to a thread"));
  syncBuiltinESMExports();
}

/** What keeps this process alive. Each process that was begun before has a method of its own to be told something. */
function activeHandles(): readonly object[] {
  const { _getActiveHandles: handles }: { readonly _getActiveHandles?: () => readonly object[] } =
    process as object;
  return handles?.call(process) ?? [];
}

/** Whether it is the channel to a process: of one that this process does not wait for (`unref`), only that is active. This process has one to its parent. */
function isToChild(handle: object): boolean {
  const isOwn = Object.getOwnPropertySymbols(process).some((key) => Reflect.get(process, key) === handle);
  return handle.constructor.name === "Pipe" && !isOwn;
}

/**
 * Each import asks the thread in which Node runs its loaders' hooks, which `tsx` and OpenTelemetry register: that does nothing elsewhere. A thread's
 * own method uses that of a port.
 */
function watchThreads(note: () => void): void {
  let isLoading = false;
  const noteMessage = () => {
    if (!isLoading) note();
  };
  for (const { prototype } of [MessagePort, BroadcastChannel]) wrap(prototype, "postMessage", noteMessage);
  wrap(
    Worker.prototype,
    "postMessage",
    (thread) => {
      isLoading = runsLoaders(thread as Worker);
      noteMessage();
    },
    () => {
      isLoading = false;
    },
  );
}

/** Node has a class of its own for it, which nobody else gets. */
function runsLoaders(thread: Worker): boolean {
  return thread.constructor.name === "InternalWorker" && "receiveMessageSync" in thread;
}

/** @param note is called before the method @param after is called with its object once it has returned */
function wrap(
  owner: object,
  name: string,
  note: (self: unknown, args: readonly unknown[]) => unknown,
  after?: (self: unknown) => void,
): void {
  const members = owner as Record<string, unknown>;
  const call = members[name];
  if (typeof call !== "function") return;
  members[name] = function (this: unknown, ...args: unknown[]) {
    note(this, args);
    try {
      return Reflect.apply(call as Call, this, args);
    } finally {
      after?.(this);
    }
  };
}

function udpTo(socket: unknown, args: readonly unknown[]): void {
  noteUnfollowed("UDP", currentRecord(), hostIn(socket as dgram.Socket, args));
}

/** `send(message, [offset, length,] [port, address,] callback)`: the address is the last text but the message. */
function hostIn(socket: dgram.Socket, args: readonly unknown[]): string | undefined {
  const named = args.slice(1).findLast((arg) => typeof arg === "string");
  if (typeof named === "string") return named;
  try {
    return socket.remoteAddress().address;
  } catch {
    return "localhost";
  }
}

import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { Redis } from "ioredis";
import { onTestFinished } from "./test-scope.ts";

/** A command as `MONITOR` shows it. */
export interface SeenCommand {
  /** Whether a script called it. */
  readonly isOfScript: boolean;
  /** The command and its arguments, quoted. */
  readonly text: string;
}

/**
 * Shows each command that a server runs from now on. On a connection of its own: ioredis fails if a command follows `OK` in one packet.
 *
 * @returns ends it; the end of the test does, too
 */
export async function monitorCommands(
  { options }: Redis,
  onCommand: (command: SeenCommand) => void,
): Promise<() => void> {
  const socket = connect({ host: options.host ?? "127.0.0.1", port: options.port ?? 6379 });
  const stop = () => void socket.destroy();
  onTestFinished(stop);
  socket.write("MONITOR\r\n");
  const lines = createInterface(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    lines.on("line", (line) => {
      const [, source, text] = /^\+[\d.]+ \[\d+ (\S+)\] (.*)$/.exec(line) ?? [];
      if (line === "+OK") resolve();
      else if (text === undefined) reject(new Error(`MONITOR answered: ${line}`));
      else onCommand({ isOfScript: source === "lua", text });
    });
  });
  return stop;
}

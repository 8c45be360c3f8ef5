import type { Redis } from "ioredis";
import { shapeOf } from "./reply-shape.ts";

type Command = Parameters<Redis["sendCommand"]>[0];
type Resolve = ((reply: unknown) => void) & { unchecked?: Command["resolve"] };

/** What ioredis says of a reply for which it has no command. */
const TOO_MANY = "Command queue state error";

/**
 * Reads no reply of another shape than the command's. Replies have no names: where one is missing, each that follows goes to the command
 * before its own. So the connection ends at the first that does not fit, and what is under way on it counts as not answered.
 */
export function checkReplies(server: Redis): void {
  const send = server.sendCommand.bind(server);
  /** The stream on which replies are no longer believed: several may have come in one piece. */
  let shifted: unknown;
  const end = (why: string) => {
    shifted = server.stream;
    server.stream.destroy(wrongAnswer(why));
  };
  server.on("error", ({ message }) => {
    if (message.startsWith(TOO_MANY)) end("a reply more than commands");
  });
  server.on("error", (error) => {
    // ioredis only reports it, and would go on in database 0.
    if (commandOf(error) === "select") server.stream.destroy();
  });
  server.sendCommand = ((command, stream) => {
    const shape = shapeOf(command);
    // It may have been sent before, to another node.
    const unchecked = (command.resolve as Resolve).unchecked ?? command.resolve;
    const checked: Resolve = (reply) => {
      if (shifted !== undefined && shifted === server.stream) command.reject(wrongAnswer(command.name));
      else if (shape === undefined || shape(reply)) unchecked(reply);
      else {
        end(command.name);
        command.reject(wrongAnswer(command.name));
      }
    };
    checked.unchecked = unchecked;
    command.resolve = checked;
    return send(command, stream);
  }) as Redis["sendCommand"];
}

/** The command that an error is the reply to. */
function commandOf(error: Error): unknown {
  if (!("command" in error) || typeof error.command !== "object" || error.command === null) return undefined;
  return "name" in error.command ? error.command.name : undefined;
}

/** The text is one that `isUnanswered` knows. */
function wrongAnswer(command: string): Error {
  return new Error(`The reply to ${command} belongs to another command`);
}

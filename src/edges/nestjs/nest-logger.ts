import { Logger as NestLogger } from "@nestjs/common";
import { type Environment, readSettings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { textOf } from "../../platform/lib/thrown.ts";

type Level = "debug" | "info" | "warn" | "error" | "fatal";

/** As `HOLDFAST_LOG_LEVEL` names them. */
const levels: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Writes to Nest's logger what `HOLDFAST_LOG_LEVEL` lets through: a message, and its fields in one line. */
export function nestLogger(env: Environment | undefined): Logger {
  const { HOLDFAST_LOG_LEVEL: least } = readSettings(env);
  const isWritten = (level: Level) => levels.indexOf(level) >= levels.indexOf(least);
  return withFields(new NestLogger("Holdfast"), isWritten, {});
}

function withFields(nest: NestLogger, isWritten: (level: Level) => boolean, own: object): Logger {
  const write =
    (level: Level) =>
    (fields: object | string, message = "") => {
      if (!isWritten(level)) return;
      const [text, more] = typeof fields === "string" ? [fields, own] : [message, { ...own, ...fields }];
      const line = Object.keys(more).length === 0 ? text : `${text} ${textOf(more)}`;
      if (level === "info") nest.log(line);
      else nest[level](line);
    };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    fatal: write("fatal"),
    child: (fields) => withFields(nest, isWritten, { ...own, ...fields }),
  };
}

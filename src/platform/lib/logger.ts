type Write = ((fields: object, message?: string) => void) & ((message: string) => void);

/** A structured log, such as [pino](https://getpino.io)'s. Each line has a message and fields. */
export interface Logger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly fatal: Write;
  /** A log whose lines all have these fields. */
  child(fields: object): Logger;
}

const ignore = () => {};

/** Logs nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
  child: () => silentLogger,
};

/** What everything that connects accepts. */
export interface WithLogger {
  /**
   * Where log lines go instead: a pino logger, or one with the same methods. It filters by its own level.
   *
   * @default JSON lines on standard error, from `HOLDFAST_LOG_LEVEL` on; a producer logs nothing
   * @example fastify.log
   */
  readonly logger?: Logger;
}
